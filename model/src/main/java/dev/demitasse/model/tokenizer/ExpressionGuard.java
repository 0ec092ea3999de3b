package dev.demitasse.model.tokenizer;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Tells regular expressions that the native library (Oniguruma) gets through from those that it may backtrack in for ever,
 * or recurse in until its stack is full: at its limit the process ends. Pre-tokenizers need little of what regular
 * expressions can do, so much is refused that would be harmless.
 */
final class ExpressionGuard {
    private static final int MAXIMUM_LENGTH = 4000;
    private static final int MAXIMUM_DEPTH = 20;
    /** In a row: the time is that power of a text's length. */
    private static final int MAXIMUM_UNBOUNDED = 2;

    private static final int MAXIMUM_COUNT = 100;
    private static final Pattern INTERVAL = Pattern.compile("\\{(\\d{0,6})(,?)(\\d{0,6})}");
    /** Back-references, calls, conditions, callouts, absent operators. */
    private static final Pattern REFUSED = Pattern.compile("\\\\[1-9kgKRX]|\\(\\?[({~&P>@]|\\(\\*");

    private final String expression;
    private int at;

    private ExpressionGuard(String expression) {
        this.expression = expression;
    }

    /** What stands between a parenthesis, or the expression's start, and here. */
    private static final class Group {
        private boolean alternatives;
        /** A part whose length is not fixed. */
        private boolean varies;

        private int unbounded;
        private int mostUnbounded;

        private void alternative() {
            alternatives = true;
            mostUnbounded = mostUnbounded();
            unbounded = 0;
        }

        private int mostUnbounded() {
            return Math.max(mostUnbounded, unbounded);
        }
    }

    /** How often a part may be repeated. */
    private record Repetition(int least, boolean bounded, int most) {}

    /** Whether the time that it takes is bounded by a low power of a text's length. */
    static boolean harmless(String expression) {
        return expression.length() <= MAXIMUM_LENGTH
                && !REFUSED.matcher(expression).find()
                && new ExpressionGuard(expression).scan();
    }

    private boolean scan() {
        Deque<Group> open = new ArrayDeque<>();
        open.push(new Group());
        while (at < expression.length()) {
            Group group = open.element();
            Group closed = new Group();
            switch (expression.charAt(at)) {
                case '(' -> {
                    at++;
                    open.push(new Group());
                    if (open.size() > MAXIMUM_DEPTH) {
                        return false;
                    }
                    skipGroupKind();
                    continue;
                }
                case '|' -> {
                    at++;
                    group.alternative();
                    continue;
                }
                case ')' -> {
                    at++;
                    closed = open.pop();
                    if (open.isEmpty()) {
                        return false;
                    }
                    group = open.element();
                }
                case '[' -> {
                    if (!skipClass()) {
                        return false;
                    }
                }
                case '\\' -> skipEscape();
                default -> at++;
            }
            if (!repeat(group, closed)) {
                return false;
            }
        }
        return open.size() == 1;
    }

    /** Takes the quantifiers after a part into account; {@code part} tells what is in it. */
    private boolean repeat(Group group, Group part) {
        group.varies |= part.varies || part.alternatives;
        group.unbounded += part.mostUnbounded();
        int quantifiers = 0;
        for (Repetition repetition = repetition(); repetition.least >= 0; repetition = repetition()) {
            boolean often = !repetition.bounded || repetition.most > 1;
            if (often && (part.varies || part.alternatives) || repetition.most > MAXIMUM_COUNT || ++quantifiers > 1) {
                return false;
            }
            group.varies = true;
            group.unbounded += repetition.bounded ? 0 : 1;
            if (at < expression.length() && (expression.charAt(at) == '?' || expression.charAt(at) == '+')) {
                at++; // Lazy or possessive.
            }
        }
        return group.unbounded <= MAXIMUM_UNBOUNDED;
    }

    /** The quantifier that stands here, passed over; below 0 if there is none. */
    private Repetition repetition() {
        if (at >= expression.length()) {
            return new Repetition(-1, true, 1);
        }
        switch (expression.charAt(at)) {
            case '*', '+' -> {
                at++;
                return new Repetition(0, false, 1);
            }
            case '?' -> {
                at++;
                return new Repetition(0, true, 1);
            }
            case '{' -> {
                Matcher interval = INTERVAL.matcher(expression).region(at, expression.length());
                if (interval.lookingAt()) {
                    at = interval.end();
                    int least = interval.group(1).isEmpty() ? 0 : Integer.parseInt(interval.group(1));
                    boolean bounded =
                            interval.group(2).isEmpty() || !interval.group(3).isEmpty();
                    int most = interval.group(3).isEmpty() ? least : Integer.parseInt(interval.group(3));
                    return new Repetition(least, bounded, Math.max(least, most));
                }
                return new Repetition(-1, true, 1);
            }
            default -> {
                return new Repetition(-1, true, 1);
            }
        }
    }

    /** {@code ?:}, {@code ?i:}, {@code ?=}, {@code ?!}, {@code ?<=}, {@code ?<name>}. */
    private void skipGroupKind() {
        if (at < expression.length() && expression.charAt(at) == '?') {
            at++;
            while (at < expression.length() && ":=!>)".indexOf(expression.charAt(at)) < 0) {
                at++;
            }
            if (at < expression.length() && expression.charAt(at) != ')') {
                at++;
            }
        }
    }

    private void skipEscape() {
        at = Math.min(at + 2, expression.length());
        char kind = expression.charAt(at - 1);
        if ((kind == 'p' || kind == 'P' || kind == 'x') && at < expression.length() && expression.charAt(at) == '{') {
            int end = expression.indexOf('}', at);
            at = end < 0 ? expression.length() : end + 1;
        }
    }

    /** A class in brackets, perhaps with others inside; false if it does not end. */
    private boolean skipClass() {
        int depth = 0;
        do {
            switch (expression.charAt(at)) {
                case '[' -> {
                    depth++;
                    at++;
                    if (at < expression.length() && expression.charAt(at) == '^') {
                        at++;
                    }
                    if (at < expression.length() && expression.charAt(at) == ']') {
                        at++; // The first is a character.
                    }
                }
                case ']' -> {
                    depth--;
                    at++;
                }
                case '\\' -> at = Math.min(at + 2, expression.length());
                default -> at++;
            }
        } while (depth > 0 && depth <= MAXIMUM_DEPTH && at < expression.length());
        return depth == 0;
    }
}
