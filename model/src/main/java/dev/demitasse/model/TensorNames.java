package dev.demitasse.model;

import java.util.EnumMap;
import java.util.Map;

/** What a family's modules are called in Hugging Face files and in GGUF; {@code {i}} stands for the layer. */
public final class TensorNames {
    private record Names(String huggingFace, String gguf) {}

    private final Map<Role, Names> modules = new EnumMap<>(Role.class);

    /** Adds a module: its names without the part, so {@code model.layers.{i}.mlp.up_proj}. */
    public TensorNames module(Role role, String huggingFace, String gguf) {
        modules.put(role, new Names(huggingFace, gguf));
        return this;
    }

    /** The tensor's name in a safetensors file. */
    public String huggingFace(TensorKey key) {
        return at(names(key).huggingFace, key)
                + switch (key.part()) {
                    case WEIGHT -> ".weight";
                    case BIAS -> ".bias";
                    case SCALE -> ".weight_scale";
                };
    }

    /** The tensor's name in a GGUF file. */
    public String gguf(TensorKey key) {
        return at(names(key).gguf, key)
                + switch (key.part()) {
                    case WEIGHT -> ".weight";
                    case BIAS -> ".bias";
                    case SCALE -> throw new IllegalArgumentException("GGUF keeps scales inside blocks: " + key);
                };
    }

    private Names names(TensorKey key) {
        Names names = modules.get(key.role());
        if (names == null) {
            throw new IllegalArgumentException("the family has no " + key.role());
        }
        return names;
    }

    private static String at(String name, TensorKey key) {
        return name.replace("{i}", Integer.toString(key.layer()));
    }
}
