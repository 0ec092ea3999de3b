package dev.demitasse.model;

/** A file that cannot be what it claims to be: truncated, inconsistent, hostile, or of an unknown kind. */
public final class MalformedModelException extends DemitasseException {
    private static final long serialVersionUID = 1L;

    /**
     * @param where the file
     * @param problem which part of it, what was expected and what came
     * @param advice what to do about it
     */
    public MalformedModelException(Object where, String problem, String advice) {
        super(where + ": " + problem + "; " + advice);
    }

    public MalformedModelException(Object where, String problem, String advice, Throwable cause) {
        super(where + ": " + problem + "; " + advice, cause);
    }
}
