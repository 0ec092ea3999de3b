package dev.demitasse.recipes.language;

/** A value that its key cannot hold; the message continues {@code file:line: key: }. */
final class BadValue extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BadValue(String problem) {
        super(problem, null, false, false);
    }
}
