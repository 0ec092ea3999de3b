package dev.demitasse.model.chat;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.Context.Library;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.interpret.TemplateError.ErrorType;
import com.hubspot.jinjava.lib.Importable;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import com.hubspot.jinjava.mode.ExecutionMode;
import com.hubspot.jinjava.tree.output.RenderedOutputNode;
import dev.demitasse.model.DemitasseException;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import java.time.Duration;
import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import jinjava.javax.el.PropertyNotFoundException;

/**
 * Runs a template that nobody vouches for with jinjava. It sees maps, lists, texts, numbers and truth values, with
 * {@link PlainValues what Python's can do}, and nothing by reflection; it has the tags, filters, tests and functions
 * that templates use, none that reads a file or another template; its output, texts, lists, loops and time are bounded.
 */
final class Sandbox {
    private static final int LONGEST_TEMPLATE = 1 << 18;
    private static final int LONGEST_TEXT = 1 << 22;
    private static final int LONGEST_LIST = 100_000;
    private static final int LONGEST_RANGE = 10_000;
    private static final int DEEPEST = 20;
    private static final long STACK_BYTES = 4L << 20;
    private static final Duration TIME = Duration.ofSeconds(5);

    private static final Set<String> TAGS = Set.of(
            "for",
            "endfor",
            "if",
            "elif",
            "else",
            "endif",
            "set",
            "endset",
            "macro",
            "endmacro",
            "raw",
            "endraw",
            "break",
            "continue",
            "do");
    private static final Set<String> FILTERS = Set.of(
            "abs",
            "capitalize",
            "count",
            "d",
            "default",
            "first",
            "float",
            "int",
            "items",
            "join",
            "last",
            "length",
            "list",
            "lower",
            "map",
            "reject",
            "rejectattr",
            "replace",
            "reverse",
            "round",
            "safe",
            "select",
            "selectattr",
            "string",
            "sum",
            "title",
            "tojson",
            "trim",
            "unique",
            "upper");
    /** What stands before filters' names among the names that a run looked up. */
    private static final String FILTER = "filter:";

    private static final Set<String> FUNCTIONS = Set.of("namespace", "range", "raise_exception", "strftime_now");

    private final Object where;
    private final String template;

    Sandbox(Object where, String template) {
        this.where = where;
        this.template = template;
    }

    String render(Map<String, Object> variables) {
        if (template.length() > LONGEST_TEMPLATE) {
            throw malformed("has %,d characters, expected at most %,d".formatted(template.length(), LONGEST_TEMPLATE));
        }
        if (template.contains("____int3rpr3t3r____")) {
            throw malformed("reaches for what interprets it");
        }
        long deadline = System.nanoTime() + TIME.toNanos();
        FutureTask<String> task = new FutureTask<>(() -> run(variables, deadline));
        Thread thread = new Thread(null, task, "chat template", STACK_BYTES);
        thread.setDaemon(true);
        thread.start();
        try {
            return task.get(2 * TIME.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            thread.interrupt();
            throw tooLong();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw malformed("was interrupted");
        } catch (ExecutionException e) {
            throw failure(Objects.requireNonNullElse(e.getCause(), e));
        }
    }

    private DemitasseException failure(Throwable cause) {
        return switch (cause) {
            case DemitasseException told -> told;
            case Expired expired -> tooLong();
            case StackOverflowError overflow -> malformed("is nested too deeply");
            case OutOfMemoryError memory -> malformed("asks for too much memory");
            default -> malformed("cannot be run: " + cause.getMessage());
        };
    }

    private String run(Map<String, Object> variables, long deadline) {
        Jinjava library = new Jinjava();
        Context context = library.getGlobalContext();
        Map<Library, Set<String>> disabled = new EnumMap<>(Library.class);
        disabled.put(Library.TAG, others(context.getAllTags(), TAGS));
        disabled.put(Library.FILTER, others(context.getAllFilters(), FILTERS));
        disabled.put(
                Library.FUNCTION,
                context.getAllFunctions().stream()
                        .map(ELFunctionDefinition::getName)
                        .map(name -> name.startsWith(":") ? name.substring(1) : name)
                        .filter(name -> !FUNCTIONS.contains(name))
                        .collect(Collectors.toSet()));
        TemplateFunctions.register(context);
        RenderResult result = library.renderForResult(spelled(), variables, config(disabled, deadline));
        for (TemplateError error : result.getErrors()) {
            for (Throwable cause = error.getException(); cause != null; cause = cause.getCause()) {
                if (cause instanceof TemplateFunctions.Raised raised) {
                    throw new InvalidRequestException(
                            where, "the chat template refuses: " + raised.getMessage(), "give it what it asks for");
                }
            }
            boolean undefined = error.getException() instanceof PropertyNotFoundException;
            if (error.getSeverity() == ErrorType.FATAL || undefined) {
                throw malformed("line %d: %s".formatted(error.getLineno(), error.getMessage()));
            }
        }
        for (String name : result.getContext().getResolvedValues()) {
            if (name.startsWith(FILTER) && !FILTERS.contains(name.substring(FILTER.length()))) {
                throw malformed("has the filter '%s', which is not known".formatted(name.substring(FILTER.length())));
            }
        }
        return result.getOutput();
    }

    private String spelled() {
        try {
            return Spelling.forLibrary(template);
        } catch (IllegalArgumentException e) {
            throw malformed("cannot be read: " + e.getMessage());
        }
    }

    private static JinjavaConfig config(Map<Library, Set<String>> disabled, long deadline) {
        return JinjavaConfig.newBuilder()
                .withElResolver(new PlainValues())
                .withDisabled(disabled)
                .withNodePreProcessor((node, interpreter) -> {
                    if (System.nanoTime() > deadline || Thread.currentThread().isInterrupted()) {
                        throw new Expired();
                    }
                    for (Object value : interpreter.getContext().getScope().values()) {
                        if (Weight.of(value) > Weight.MOST) {
                            throw new OutOfMemoryError("a variable grew too large");
                        }
                    }
                })
                .withKeepTrailingNewline(true)
                .withExecutionMode(new Printing())
                .withNestedInterpretationEnabled(false)
                .withEnableRecursiveMacroCalls(false)
                .withMaxRenderDepth(DEEPEST)
                .withMaxMacroRecursionDepth(DEEPEST)
                .withMaxOutputSize(LONGEST_TEXT)
                .withMaxStringLength(LONGEST_TEXT)
                .withMaxListSize(LONGEST_LIST)
                .withMaxMapSize(LONGEST_LIST)
                .withRangeLimit(LONGEST_RANGE)
                .withLegacyOverrides(LegacyOverrides.newBuilder()
                        .withIterateOverMapKeys(true)
                        .withEvaluateMapKeys(true)
                        .withUseNaturalOperatorPrecedence(true)
                        .withParseWhitespaceControlStrictly(true)
                        .withWhitespaceRequiredWithinTokens(false)
                        .withAllowAdjacentTextNodes(true)
                        .withUseTrimmingForNotesAndExpressions(true)
                        .withHandleBackslashInQuotesOnly(true)
                        .withKeepNullableLoopValues(true)
                        .build())
                .build();
    }

    /** Prints values as Python does. */
    private static final class Printing implements ExecutionMode {
        @Override
        public void prepareContext(Context context) {
            context.setExpressionStrategy((token, interpreter) -> new RenderedOutputNode(
                    TemplateFunctions.text(interpreter.resolveELExpression(token.getExpr(), token.getLineNumber()))));
        }
    }

    private static Set<String> others(Collection<? extends Importable> all, Set<String> allowed) {
        return all.stream()
                .map(Importable::getName)
                .filter(name -> !allowed.contains(name))
                .collect(Collectors.toSet());
    }

    private MalformedModelException tooLong() {
        return malformed("takes longer than %d seconds".formatted(TIME.toSeconds()));
    }

    private MalformedModelException malformed(String problem) {
        return new MalformedModelException(
                where, "the chat template " + problem, "take another, or write the prompt without one");
    }

    /** Ends a run whose time is over; an Error, for the library goes on after exceptions. */
    private static final class Expired extends Error {
        private static final long serialVersionUID = 1L;

        Expired() {
            super("time is over", null, false, false);
        }
    }
}
