package dev.demitasse.model.safetensors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.Piece;
import dev.demitasse.model.Tensor;
import dev.demitasse.model.files.JsonFile;
import dev.demitasse.model.files.JsonFile.Duplicates;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.packed.AwqLayout;
import dev.demitasse.model.packed.GptqLayout;
import dev.demitasse.model.packed.NormalFloatLayout;
import dev.demitasse.model.packed.PackQuantizedLayout;
import dev.demitasse.model.packed.PackedLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/**
 * Weights that another tool has quantized and packed into integers, by what config.json's {@code quantization_config} says.
 * Widths, groups and zeros are read off the tensors, so that a checkpoint may have several.
 */
final class PackedWeights {
    private static final String WEIGHT = ".weight";
    private static final long MAXIMUM_BYTES = 1 << 20;

    private final Optional<PackedLayout> layout;
    private final Function<String, Optional<Tensor>> file;
    /** What was unpacked last: several of a model's tensors may stand in one of the file's. */
    private Optional<Tensor> last = Optional.empty();

    private PackedWeights(Optional<PackedLayout> layout, Function<String, Optional<Tensor>> file) {
        this.layout = layout;
        this.file = file;
    }

    /**
     * @param quantization what config.json has of that name; without it AutoGPTQ's own file is looked for
     * @param file gives tensors by name
     * @throws InvalidRequestException if it names a way that Demitasse does not read
     */
    static PackedWeights of(Path folder, JsonNode quantization, Function<String, Optional<Tensor>> file)
            throws IOException {
        Path older = folder.resolve("quantize_config.json");
        if (quantization.isMissingNode() && Files.exists(older)) {
            JsonNode gptq = JsonFile.read(older, MAXIMUM_BYTES, "quantize_config.json", Duplicates.LAST_COUNTS);
            return new PackedWeights(Optional.of(new GptqLayout(!isSecond(gptq))), file);
        }
        String method = quantization.path("quant_method").asText("").toLowerCase(Locale.ROOT);
        Optional<PackedLayout> layout = switch (method) {
            case "gptq" -> Optional.of(new GptqLayout(!isSecond(quantization)));
            case "awq" -> Optional.of(awq(folder, quantization));
            case "compressed-tensors" -> Optional.of(new PackQuantizedLayout());
            case "bitsandbytes" -> Optional.of(normalFloat(folder, quantization));
            case "", "demitasse" -> Optional.empty();
            default -> throw unread(folder, method);
        };
        return new PackedWeights(layout, file);
    }

    private static boolean isSecond(JsonNode quantization) {
        return quantization.path("checkpoint_format").asText("").equals("gptq_v2");
    }

    private static PackedLayout awq(Path folder, JsonNode quantization) {
        String version = quantization.path("version").asText("gemm").toLowerCase(Locale.ROOT);
        if (!version.equals("gemm")) {
            throw unread(folder, "awq, version " + version);
        }
        return new AwqLayout();
    }

    private static PackedLayout normalFloat(Path folder, JsonNode quantization) {
        if (quantization.path("load_in_8bit").asBoolean()
                || quantization.path("_load_in_8bit").asBoolean()) {
            throw unread(folder, "bitsandbytes, in 8 bits");
        }
        return new NormalFloatLayout();
    }

    private static InvalidRequestException unread(Path folder, String method) {
        return new InvalidRequestException(
                folder,
                "is quantized by %s, which Demitasse does not read".formatted(method),
                "take the unquantized model, or one of gptq, awq (gemm), compressed-tensors or bitsandbytes (4 bits)");
    }

    /** Whether the weight that {@code piece} is part of stands there packed. */
    boolean has(Piece piece) {
        return layout.isPresent()
                && piece.name().endsWith(WEIGHT)
                && file.apply(module(piece) + "." + layout.get().mark()).isPresent();
    }

    private static String module(Piece piece) {
        return piece.name().substring(0, piece.name().length() - WEIGHT.length());
    }

    /** The format that {@link #tensor} gives. */
    TensorFormat format(Piece piece) {
        long[] shape = piece.shape();
        return layout.orElseThrow().format(module(piece), file, Math.toIntExact(shape[0]), Math.toIntExact(shape[1]));
    }

    /** The whole weight that {@code piece} is part of, on the heap. */
    synchronized Tensor tensor(Piece piece) {
        if (last.isEmpty() || !last.get().name().equals(piece.name())) {
            long[] shape = piece.shape();
            last = Optional.of(layout.orElseThrow()
                    .read(module(piece), file, Math.toIntExact(shape[0]), Math.toIntExact(shape[1])));
        }
        return last.get();
    }
}
