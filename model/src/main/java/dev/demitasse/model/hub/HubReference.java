package dev.demitasse.model.hub;

import dev.demitasse.model.InvalidRequestException;
import java.util.regex.Pattern;

/**
 * A model on the hub, as a user names it: {@code hf:ORG/NAME} or {@code hf:ORG/NAME@REVISION}.
 *
 * @param repository {@code ORG/NAME}; the oldest models have a name only
 * @param revision a branch, a tag or a commit
 */
public record HubReference(String repository, String revision) {
    /** What a reference begins with. */
    public static final String PREFIX = "hf:";

    /** What a reference looks like, for errors. */
    public static final String FORM = "hf:ORG/NAME or hf:ORG/NAME@REVISION";

    private static final String MAIN = "main";
    // Both become names of files and parts of addresses, so neither may hold a part that begins with a dot.
    private static final Pattern REPOSITORY = Pattern.compile("(?:\\w[\\w.-]{0,95}/)?\\w[\\w.-]{0,95}");
    private static final Pattern REVISION = Pattern.compile("\\w[\\w.-]{0,199}(?:/\\w[\\w.-]{0,199}){0,7}");
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    public HubReference {
        // What huggingface_hub refuses too: "--" stands for "/" in the cache's folder names.
        boolean named = REPOSITORY.matcher(repository).matches()
                && !repository.contains("--")
                && !repository.contains("..")
                && !repository.endsWith(".git");
        if (!named) {
            throw new InvalidRequestException(
                    PREFIX + repository, "is not a name that a model on the hub can have", "write " + FORM);
        }
        if (!REVISION.matcher(revision).matches() || revision.contains("..")) {
            throw new InvalidRequestException(
                    PREFIX + repository + "@" + revision,
                    "'" + revision + "' is not a name that a revision can have",
                    "name a branch, a tag or a commit");
        }
    }

    /** Whether {@code text} is meant as a reference to the hub. */
    public static boolean isOne(String text) {
        return text.startsWith(PREFIX);
    }

    /**
     * @param text begins with {@link #PREFIX}
     * @throws InvalidRequestException if it is not a name that a model can have
     */
    public static HubReference parse(String text) {
        String name = text.substring(PREFIX.length());
        int at = name.indexOf('@');
        return at < 0 ? new HubReference(name, MAIN) : new HubReference(name.substring(0, at), name.substring(at + 1));
    }

    /** Whether the revision is a commit, which never changes. */
    boolean isCommit() {
        return isCommit(revision);
    }

    static boolean isCommit(String text) {
        return COMMIT.matcher(text).matches();
    }

    /** As the user writes it. */
    @Override
    public String toString() {
        return PREFIX + repository + (revision.equals(MAIN) ? "" : "@" + revision);
    }
}
