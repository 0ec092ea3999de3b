package dev.demitasse.model.chat;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Rewrites a template so that jinjava does with it what Jinja does: white space around tags is trimmed here, by Jinja's
 * rules ({@code trim_blocks} and {@code lstrip_blocks} on; jinja.palletsprojects.com, "Whitespace Control"), comments
 * are left out, and expressions are respelled by {@link Expression}. What jinjava would pass over in silence is refused.
 */
final class Spelling {
    private static final Pattern RAW_END = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%}");

    private final String template;
    private final StringBuilder written = new StringBuilder();
    private final Deque<String> open = new ArrayDeque<>();
    private int at;
    /** Whether all white space, or a line's end, is dropped at the start of the text that follows. */
    private boolean trimAll;

    private boolean trimLine;
    private boolean lineStarts = true;

    private Spelling(String template) {
        this.template = template.endsWith("\n") ? template.substring(0, template.length() - 1) : template;
    }

    /** @throws IllegalArgumentException if the template is none, with what is wrong with it */
    static String forLibrary(String template) {
        return new Spelling(template.replace("\r\n", "\n")).rewrite();
    }

    private String rewrite() {
        while (at < template.length()) {
            int tag = nextTag();
            text(template.substring(at, tag), tag);
            at = tag;
            if (tag < template.length()) {
                tag(tag);
            }
        }
        return written.toString();
    }

    private int nextTag() {
        for (int i = at; i + 1 < template.length(); i++) {
            if (template.charAt(i) == '{' && "{%#".indexOf(template.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return template.length();
    }

    private void text(String plain, int tag) {
        String text = plain;
        if (trimAll) {
            text = text.stripLeading();
        } else if (trimLine && text.startsWith("\n")) {
            text = text.substring(1);
            lineStarts = true;
        }
        if (tag + 2 < template.length()) {
            char kind = template.charAt(tag + 1);
            char mark = template.charAt(tag + 2);
            int line = text.lastIndexOf('\n') + 1;
            if (mark == '-') {
                text = text.stripTrailing();
            } else if (mark != '+'
                    && kind != '{'
                    && (line > 0 || lineStarts)
                    && text.substring(line).matches("[ \t]*")) {
                text = text.substring(0, line);
            }
        }
        written.append(text);
        trimAll = false;
        trimLine = false;
    }

    private void tag(int start) {
        char kind = template.charAt(start + 1);
        String close = kind == '{' ? "}}" : kind == '%' ? "%}" : "#}";
        int end = kind == '#' ? template.indexOf(close, start + 2) : Expression.end(template, start + 2, close);
        if (end < 0) {
            throw new IllegalArgumentException("'" + shortened(start) + "' has no end");
        }
        int from = start + 2;
        int to = end;
        boolean marked = to > from && "-+".indexOf(template.charAt(to - 1)) >= 0;
        trimAll = marked && template.charAt(to - 1) == '-';
        trimLine = !marked && kind != '{';
        to -= marked ? 1 : 0;
        from += from < to && "-+".indexOf(template.charAt(from)) >= 0 ? 1 : 0;
        at = end + 2;
        lineStarts = false;
        String inside = template.substring(from, to).strip();
        if (kind == '{') {
            written.append("{{ ").append(Expression.respell(inside)).append(" }}");
        } else if (kind == '%') {
            block(inside);
        }
    }

    private void block(String inside) {
        String name = inside.split("\\W", 2)[0];
        switch (name) {
            case "raw" -> {
                raw();
                return;
            }
            case "generation", "endgeneration" -> {
                return; // marks what to learn from; prints nothing
            }
            case "for" -> {
                if (Expression.hasCondition(inside)) {
                    throw new IllegalArgumentException("'for … in … if …' is not supported: " + inside);
                }
                open.push(name);
            }
            case "if" -> open.push(name);
            case "else" -> {
                if ("for".equals(open.peek())) {
                    throw new IllegalArgumentException("'else' of a 'for' is not supported");
                }
            }
            case "endfor", "endif" -> open.poll();
            default -> {}
        }
        written.append("{% ")
                .append(name.equals("macro") ? inside : Expression.respell(inside))
                .append(" %}");
    }

    private void raw() {
        Matcher end = RAW_END.matcher(template);
        if (!end.find(at)) {
            throw new IllegalArgumentException("'raw' has no end");
        }
        String text = template.substring(at, end.start());
        if (trimAll) {
            text = text.stripLeading();
        } else if (text.startsWith("\n")) {
            text = text.substring(1);
        }
        written.append("{% raw %}")
                .append(end.group(1).equals("-") ? text.stripTrailing() : text)
                .append("{% endraw %}");
        at = end.end();
        trimAll = end.group(2).equals("-");
        trimLine = end.group(2).isEmpty();
    }

    private String shortened(int from) {
        return template.substring(from, Math.min(template.length(), from + 40));
    }
}
