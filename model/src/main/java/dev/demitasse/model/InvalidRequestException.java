package dev.demitasse.model;

/** What was asked cannot be done: an impossible option, two models that do not fit, an empty data file. */
public final class InvalidRequestException extends DemitasseException {
    private static final long serialVersionUID = 1L;

    /** @param message whole as it is, one line for each thing that is wrong */
    public InvalidRequestException(String message) {
        super(message);
    }

    /**
     * @param where the file, option or stage the mistake is in
     * @param problem what was expected and what came
     * @param advice what to do about it
     */
    public InvalidRequestException(Object where, String problem, String advice) {
        super(where + ": " + problem + "; " + advice);
    }
}
