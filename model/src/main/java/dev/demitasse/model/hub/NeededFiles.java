package dev.demitasse.model.hub;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.safetensors.HuggingFaceCheckpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Which of a repository's files make a checkpoint: configuration, tokenizer, and the weights once, safetensors if there
 * are any. Files of other frameworks and other precisions stay on the hub.
 */
final class NeededFiles {
    static final String CONFIG = "config.json";
    private static final Pattern SMALL =
            Pattern.compile("config\\.json|generation_config\\.json|special_tokens_map\\.json"
                    + "|added_tokens\\.json|tokenizer[\\w.-]*\\.json|tokenizer\\.model|vocab\\.\\w+|merges\\.txt"
                    + "|chat_template[\\w.-]*");
    private static final int MAXIMUM_NAME = 1000;

    private final HubReference reference;
    private final Set<String> names;

    /**
     * @param names of all files, as the hub lists them
     * @throws MalformedModelException if one of them leads out of its folder
     */
    NeededFiles(HubReference reference, List<String> names) {
        this.reference = reference;
        this.names = new TreeSet<>(names);
        for (String name : names) {
            if (!inside(name)) {
                throw new MalformedModelException(
                        reference,
                        "has a file called '%s', which leads out of its folder".formatted(name),
                        "do not trust this repository");
            }
        }
    }

    private static boolean inside(String name) {
        if (name.isEmpty() || name.length() > MAXIMUM_NAME || name.chars().anyMatch(c -> c < ' ' || c == '\\')) {
            return false;
        }
        for (String part : name.split("/", -1)) {
            if (part.isEmpty() || part.equals(".") || part.equals("..")) {
                return false;
            }
        }
        return true;
    }

    /**
     * Configuration and tokenizer.
     *
     * @throws InvalidRequestException if the repository is not a checkpoint
     */
    SortedSet<String> small() {
        if (!names.contains(CONFIG)) {
            List<String> gguf =
                    names.stream().filter(name -> name.endsWith(".gguf")).toList();
            throw new InvalidRequestException(
                    reference,
                    "has no config.json" + (gguf.isEmpty() ? "" : ", but " + gguf.getFirst()),
                    gguf.isEmpty()
                            ? "name a repository that holds a checkpoint"
                            : "fetch that file and name it, or take the repository that it was made from");
        }
        SortedSet<String> small = new TreeSet<>();
        names.stream().filter(name -> SMALL.matcher(name).matches()).forEach(small::add);
        return small;
    }

    /** The file that holds all weights, or the index that names the files that do. */
    String weights() {
        List<String> candidates = new ArrayList<>();
        for (String single : HuggingFaceCheckpoint.WEIGHTS) {
            candidates.add(single);
            candidates.add(single + ".index.json");
        }
        return candidates.stream()
                .filter(names::contains)
                .findFirst()
                .orElseThrow(() -> new InvalidRequestException(
                        reference,
                        "has neither safetensors nor pytorch_model.bin",
                        "name a repository that holds a checkpoint's weights"));
    }

    /** The files that an index names, if the repository has them all. */
    SortedSet<String> shards(SortedSet<String> named) {
        for (String name : named) {
            if (!names.contains(name)) {
                throw new MalformedModelException(
                        reference,
                        "its index names the file '" + name + "', which it does not have",
                        "tell its owner; try another revision");
            }
        }
        return named;
    }
}
