package dev.demitasse.export.huggingface;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.Role;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.safetensors.SafetensorsWriter.Slot;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Which modules of a model a layout packs, all in one format, and which it leaves as floats: those that are floats already, and
 * embedding, head and routers, which its runtimes have no kernels for.
 */
public final class LayoutPlan {
    /** Modules that vLLM makes one of, and so wants packed alike. */
    private static final List<Set<Role>> FUSED =
            List.of(EnumSet.of(Role.QUERY, Role.KEY, Role.VALUE), EnumSet.of(Role.GATE, Role.UP));

    private final HuggingFaceLayout layout;
    private final ModelConfig form;
    private final Function<TensorKey, TensorFormat> formats;
    private final TensorFormat format;
    private final List<LinearModule> packed = new ArrayList<>();
    private final List<LinearModule> left = new ArrayList<>();
    private final Set<TensorKey> weights = new HashSet<>();

    private LayoutPlan(HuggingFaceLayout layout, ModelConfig form, Function<TensorKey, TensorFormat> formats) {
        this.layout = layout;
        this.form = form;
        this.formats = formats;
        List<LinearModule> modules = LinearModule.of(form);
        this.format = common(modules);
        for (LinearModule module : modules) {
            if (isQuantized(module)) {
                check(module);
                packed.add(module);
                weights.addAll(module.weights());
            } else {
                left.add(module);
            }
        }
        checkNoneIsLeftOut();
        if (layout == HuggingFaceLayout.GPTQ) {
            checkLayersAreAlike();
        }
    }

    /**
     * @param formats what each of the model's weights is in
     * @throws InvalidRequestException if the layout cannot hold them
     */
    public static LayoutPlan of(
            HuggingFaceLayout layout, ModelConfig config, Function<TensorKey, TensorFormat> formats) {
        return new LayoutPlan(layout, config.huggingFaceForm(), formats);
    }

    /** The format of the first quantized projection; the others must be in the same. */
    private TensorFormat common(List<LinearModule> modules) {
        TensorFormat found = modules.stream()
                .filter(this::isQuantized)
                .findFirst()
                .map(module -> formats.apply(module.weights().getFirst()))
                .orElseGet(() -> formats.apply(form.exampleProjection()));
        if (!layout.holds(found)) {
            throw refused("does not hold " + found.weightName(), "quantize to " + layout.formats());
        }
        return found;
    }

    private boolean isQuantized(LinearModule module) {
        return module.weights().stream().anyMatch(key -> key.role().projection() && !isFloat(formats.apply(key)));
    }

    private static boolean isFloat(TensorFormat format) {
        return format instanceof ScalarFormat scalar && scalar.floating() && !format.rowScaled();
    }

    private void check(LinearModule module) {
        for (TensorKey key : module.weights()) {
            TensorFormat own = formats.apply(key);
            if (!own.equals(format)) {
                throw refused(
                        "holds one format, but '%s' is in %s and others in %s"
                                .formatted(module.name(), own.weightName(), format.weightName()),
                        "quantize all projections alike, or leave some as floats");
            }
        }
        int together = layout.outputsTogether(format);
        if (module.rows() % together != 0) {
            throw refused(
                    "packs %d outputs together, but '%s' has %,d".formatted(together, module.name(), module.rows()),
                    "compressed_tensors holds symmetric groups of any number of outputs");
        }
        if (module.transposed() && !layout.hasTransposed()) {
            throw refused(
                    "has no modules like '%s', whose weight stands as inputs by outputs".formatted(module.name()),
                    "gptq has");
        }
    }

    /** Experts in one stack are no linear modules. */
    private void checkNoneIsLeftOut() {
        for (TensorKey key : form.tensors()) {
            if (key.role().projection() && !isFloat(formats.apply(key)) && !weights.contains(key)) {
                throw refused(
                        "packs linear modules alone, and '%s' is none".formatted(form.name(key)),
                        "leave its weights as floats");
            }
        }
    }

    /** GPTQ's configuration names a module once for all layers. */
    private void checkLayersAreAlike() {
        List<String> names = namesInLayer();
        for (LinearModule module : left) {
            if (names.contains(module.nameInLayer())) {
                throw refused(
                        "packs a module in all layers or in none, but '%s' is float and others of it are not"
                                .formatted(module.name()),
                        "compressed_tensors names each module");
            }
        }
    }

    private InvalidRequestException refused(String problem, String advice) {
        return new InvalidRequestException("export.format", "the " + layout.id() + " layout " + problem, advice);
    }

    /** What packed weights are in. */
    TensorFormat format() {
        return format;
    }

    List<LinearModule> packed() {
        return packed;
    }

    /** Whether {@code key} is the weight of a packed module. */
    boolean packs(TensorKey key) {
        return weights.contains(key);
    }

    /** Whether all of the layers' modules are packed. */
    boolean isWhole() {
        return left.stream()
                .noneMatch(module -> module.weights().getFirst().role().projection());
    }

    /** Names of modules that are not packed, the head's also where it is tied to the embedding. */
    List<String> leftNames() {
        String head = form.names().name(TensorKey.weight(Role.HEAD)).replaceFirst("\\.weight$", "");
        return Stream.concat(left.stream().map(LinearModule::name), Stream.of(head))
                .distinct()
                .toList();
    }

    /** Names of packed modules within their layers. */
    List<String> namesInLayer() {
        return packed.stream().map(LinearModule::nameInLayer).distinct().toList();
    }

    /** A packed module and one beside it that is not, though vLLM makes one of both. */
    Optional<String> dividedForFusion() {
        for (LinearModule module : packed) {
            TensorKey key = module.weights().getFirst();
            for (LinearModule other : left) {
                TensorKey beside = other.weights().getFirst();
                boolean fused =
                        FUSED.stream().anyMatch(roles -> roles.contains(key.role()) && roles.contains(beside.role()));
                if (fused && beside.layer() == key.layer()) {
                    return Optional.of("%s is packed and %s is not".formatted(module.name(), other.name()));
                }
            }
        }
        return Optional.empty();
    }

    /** What the folder holds a tensor in. */
    public TensorFormat stored(TensorKey key) {
        return packs(key) ? format : ScalarFormat.F16;
    }

    /** Bytes of all of the folder's tensors. */
    public long bytes() {
        long bytes = 0;
        for (LinearModule module : packed) {
            for (Slot slot : WeightPacking.of(layout, format).slots(module).values()) {
                bytes = Math.addExact(bytes, slot.format().bytes(Tensor.elements(slot.shape())));
            }
        }
        for (TensorKey key : form.tensors()) {
            if (!weights.contains(key)) {
                bytes = Math.addExact(bytes, ScalarFormat.F16.bytes(Tensor.elements(form.shape(key))));
            }
        }
        return bytes;
    }
}
