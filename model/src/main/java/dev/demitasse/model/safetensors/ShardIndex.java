package dev.demitasse.model.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.MalformedModelException;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import java.io.IOException;
import java.nio.file.Path;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** The index beside weights in several files: {@code model.safetensors.index.json} and its like. */
public final class ShardIndex {
    private static final Pattern SHARD = Pattern.compile("[\\w-][\\w. -]{0,200}\\.(safetensors|bin)");
    private static final long MAXIMUM_BYTES = 64 << 20;

    private ShardIndex() {}

    /**
     * The names of the files that hold the weights.
     *
     * @throws MalformedModelException if it names none, or one that is not of its own folder
     */
    public static SortedSet<String> read(Path index) throws IOException {
        JsonNode map = JsonFile.read(index, MAXIMUM_BYTES, "shard index", Duplicates.REFUSED)
                .path("weight_map");
        SortedSet<String> names = new TreeSet<>();
        if (map.isObject()) {
            map.forEach(name -> names.add(name.asText()));
        }
        if (names.isEmpty()) {
            throw new MalformedModelException(index, "its weight_map is empty", "fetch it again");
        }
        for (String name : names) {
            // A shard stands beside its index; a name with a path in it would read somebody else's file.
            if (!SHARD.matcher(name).matches()) {
                throw new MalformedModelException(
                        index, "names the shard '" + name + "', no file of its folder", "do not trust this file");
            }
        }
        return names;
    }
}
