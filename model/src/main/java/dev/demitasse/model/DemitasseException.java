package dev.demitasse.model;

/**
 * An error whose message a person can act on. The two kinds tell who has to act: {@link InvalidRequestException} the
 * one who asked (exit code 2), {@link MalformedModelException} the one who made the file (exit code 3).
 */
public abstract sealed class DemitasseException extends RuntimeException
        permits InvalidRequestException, MalformedModelException {
    private static final long serialVersionUID = 1L;

    DemitasseException(String message) {
        super(message);
    }

    DemitasseException(String message, Throwable cause) {
        super(message, cause);
    }

    /** What is wrong and what to do about it; never absent. */
    @Override
    public String getMessage() {
        return String.valueOf(super.getMessage());
    }
}
