package dev.demitasse.model;

import dev.demitasse.model.Place.Order;
import dev.demitasse.model.TensorKey.Part;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Where a model's tensors stand in Hugging Face files and in GGUF. */
public final class TensorNames {
    private final ModelConfig config;
    private final Map<Role, Place> huggingFace = new EnumMap<>(Role.class);
    private final Map<Role, Place> gguf = new EnumMap<>(Role.class);
    private final Map<TensorKey, String> exact = new HashMap<>();
    private String optionalPrefix = "";

    /** Names of nothing yet, of tensors with the shapes that {@code config} gives them. */
    public TensorNames(ModelConfig config) {
        this.config = config;
    }

    /** Adds a module: its names in both kinds of files without the part, so {@code model.layers.{i}.mlp.up_proj}. */
    public TensorNames module(Role role, String huggingFaceName, String ggufName) {
        return huggingFace(role, Place.own(huggingFaceName)).gguf(role, Place.own(ggufName));
    }

    public TensorNames huggingFace(Role role, Place place) {
        huggingFace.put(role, place);
        return this;
    }

    public TensorNames gguf(Role role, Place place) {
        gguf.put(role, place);
        return this;
    }

    /** Roles that share a tensor in Hugging Face files. */
    public TensorNames huggingFace(Place.Fused place) {
        place.roles().forEach(role -> huggingFace.put(role, place));
        return this;
    }

    /** Roles that share a tensor in GGUF files. */
    public TensorNames gguf(Place.Fused place) {
        place.roles().forEach(role -> gguf.put(role, place));
        return this;
    }

    /** The whole name of one tensor in Hugging Face files, where the rule does not give it. */
    public TensorNames exact(TensorKey key, String name) {
        exact.put(key, name);
        return this;
    }

    /** The name that the rule would give, of a tensor that has an {@link #exact} one. */
    public Optional<String> otherName(TensorKey key) {
        return exact.containsKey(key)
                ? Optional.of(at(place(huggingFace, key).module(), key) + suffix(key.part()))
                : Optional.empty();
    }

    /** What some Hugging Face files leave out at the start of every name. */
    public TensorNames optionalPrefix(String prefix) {
        optionalPrefix = prefix;
        return this;
    }

    /** What some Hugging Face files leave out at the start of every name, or nothing. */
    public String optionalPrefix() {
        return optionalPrefix;
    }

    /**
     * What the tensor is called where it stands alone. That is its name in Hugging Face files, unless it shares a tensor
     * there, stands transposed, or is spread over several.
     */
    public String name(TensorKey key) {
        if (plain(key)) {
            return huggingFaceName(key);
        }
        String role = key.role().name().toLowerCase(Locale.ROOT);
        return at(place(huggingFace, key).module().replace(".{h}", ""), key) + "." + role + suffix(key.part());
    }

    /** Whether Hugging Face files hold the tensor as it is, and nothing else in it. */
    public boolean plain(TensorKey key) {
        return switch (place(huggingFace, key)) {
            case Place.Own own -> !(own.transposed() && key.role().matrix());
            case Place.Fused fused -> false;
            case Place.EachHead each -> false;
            case Place.Stacked stacked -> false;
        };
    }

    /** Where Hugging Face files have the tensor. */
    public List<Piece> huggingFace(TensorKey key) {
        return pieces(place(huggingFace, key), key, huggingFaceName(key));
    }

    /** Where GGUF files have the tensor. */
    public List<Piece> gguf(TensorKey key) {
        if (key.part().beside()) {
            throw new IllegalArgumentException("GGUF keeps nothing beside a weight: " + key);
        }
        Place place = place(gguf, key);
        return pieces(place, key, at(place.module(), key) + suffix(key.part()));
    }

    private String huggingFaceName(TensorKey key) {
        String name = exact.get(key);
        return name != null ? name : at(place(huggingFace, key).module(), key) + suffix(key.part());
    }

    private static Place place(Map<Role, Place> places, TensorKey key) {
        return Optional.ofNullable(places.get(key.role()))
                .orElseThrow(() -> new IllegalArgumentException("the family has no " + key.role()));
    }

    private static String suffix(Part part) {
        return switch (part) {
            case WEIGHT -> ".weight";
            case BIAS -> ".bias";
            case SCALE -> ".weight_scale";
            case INPUT_SCALE -> ".input_scale";
            case INPUT_ZERO_POINT -> ".input_zero_point";
            case OUTLIERS -> ".weight_outliers";
            case OUTLIER_COLUMNS -> ".weight_outlier_columns";
        };
    }

    private static String at(String name, TensorKey key) {
        return name.replace("{i}", Integer.toString(key.layer())).replace("{e}", Integer.toString(key.expert()));
    }

    private List<Piece> pieces(Place place, TensorKey key, String name) {
        long[] shape = config.shape(key);
        boolean matrix = key.role().matrix() && key.part() == Part.WEIGHT;
        return switch (place) {
            case Place.Own own -> List.of(Piece.whole(name, shape, own.transposed() && matrix));
            case Place.Fused fused -> List.of(fused(fused, key, name, shape, fused.transposed() && matrix));
            case Place.EachHead each -> {
                List<Piece> pieces = new ArrayList<>();
                for (int head = 0; head < shape[0]; head++) {
                    String headName = name.replace("{h}", Integer.toString(head));
                    pieces.add(new Piece(headName, new long[] {shape[1]}, 0, 1, 1, 1, head, false));
                }
                yield pieces;
            }
            case Place.Stacked stacked -> {
                long experts =
                        config.feedForward(key.layer()).experts().orElseThrow().count();
                long[] all = {experts, shape[0], shape[1]};
                yield List.of(new Piece(name, all, key.expert() * shape[0], shape[0], shape[0], 1, 0, false));
            }
        };
    }

    private Piece fused(Place.Fused fused, TensorKey key, String name, long[] shape, boolean transposed) {
        long total = 0;
        long before = 0;
        for (Role role : fused.roles()) {
            if (role == key.role()) {
                before = total;
            }
            total += config.rows(new TensorKey(role, Part.WEIGHT, key.layer(), key.expert()));
        }
        long[] stored = shape.clone();
        stored[0] = total;
        if (transposed) {
            stored = new long[] {stored[1], stored[0]};
        }
        if (fused.order() == Order.CONCATENATED) {
            return new Piece(name, stored, before, shape[0], shape[0], 1, 0, transposed);
        }
        long groups = config.attention(key.layer()).keyValueHeads();
        // Within a group the roles stand in the same order and proportion as they do in all.
        return new Piece(name, stored, before / groups, shape[0] / groups, total / groups, groups, 0, transposed);
    }
}
