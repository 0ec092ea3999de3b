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
import java.util.Set;
import java.util.function.Function;

/**
 * Weights that another tool has quantized and packed into integers, by what config.json's {@code quantization_config} says.
 * Widths, groups and zeros are read off the tensors, so that a checkpoint may have several.
 */
final class PackedWeights {
    private static final String WEIGHT = ".weight";
    private static final long MAXIMUM_BYTES = 1 << 20;
    private static final Set<String> COMPRESSED_FORMATS = Set.of(
            "",
            "pack-quantized",
            "int-quantized",
            "float-quantized",
            "naive-quantized",
            "mixed-precision",
            "dense",
            "fakequant");

    private final Optional<PackedLayout> layout;
    private final Function<String, Optional<Tensor>> file;
    /** What was unpacked last: several of a model's tensors may stand in one of the file's. */
    private Optional<Tensor> last = Optional.empty();

    private PackedWeights(Optional<PackedLayout> layout, Function<String, Optional<Tensor>> file) {
        this.layout = layout;
        this.file = file;
    }

    /**
     * @param quantization what config.json has of that name; without it AutoGPTQ's and AutoAWQ's own files are looked for
     * @param file gives tensors by name
     * @throws InvalidRequestException if it names a way that Demitasse does not read
     */
    static PackedWeights of(Path folder, JsonNode quantization, Function<String, Optional<Tensor>> file)
            throws IOException {
        if (quantization.isMissingNode()) {
            return new PackedWeights(older(folder), file);
        }
        String method = text(quantization, "quant_method");
        Optional<PackedLayout> layout = switch (method) {
            case "gptq" -> Optional.of(gptq(folder, quantization));
            case "awq" -> Optional.of(awq(folder, quantization));
            case "compressed-tensors" -> Optional.of(compressedTensors(folder, quantization));
            case "bitsandbytes" -> Optional.of(normalFloat(folder, quantization));
            case "fp8" -> wholeRows(folder, quantization);
            case "", "demitasse" -> Optional.empty();
            default -> throw unread(folder, method);
        };
        return new PackedWeights(layout, file);
    }

    /** As the first versions of AutoGPTQ and AutoAWQ told it, in a file of their own. */
    private static Optional<PackedLayout> older(Path folder) throws IOException {
        Path gptq = folder.resolve("quantize_config.json");
        Path awq = folder.resolve("quant_config.json");
        return Files.exists(gptq)
                ? Optional.of(gptq(folder, read(gptq)))
                : Files.exists(awq) ? Optional.of(awq(folder, read(awq))) : Optional.empty();
    }

    private static JsonNode read(Path file) throws IOException {
        return JsonFile.read(file, MAXIMUM_BYTES, file.getFileName().toString(), Duplicates.LAST_COUNTS);
    }

    private static String text(JsonNode json, String key) {
        return json.path(key).asText("").toLowerCase(Locale.ROOT);
    }

    /** Its version, by one of the names that it has had. */
    private static String version(JsonNode json, String older) {
        return json.hasNonNull(older) ? text(json, older) : text(json, "format");
    }

    private static PackedLayout gptq(Path folder, JsonNode json) {
        String version = json.path("is_marlin_format").asBoolean() ? "marlin" : version(json, "checkpoint_format");
        return switch (version) {
            case "", "gptq" -> new GptqLayout(true);
            case "gptq_v2" -> new GptqLayout(false);
            default -> throw unread(folder, "gptq, format " + version);
        };
    }

    private static PackedLayout awq(Path folder, JsonNode json) {
        String version = version(json, "version");
        return switch (version) {
            case "", "gemm" -> new AwqLayout();
            default -> throw unread(folder, "awq, version " + version);
        };
    }

    /** Formats without packed integers have matrices of INT8 or FP8 with scales beside them, which are read as they are. */
    private static PackedLayout compressedTensors(Path folder, JsonNode json) {
        String format = text(json, "format");
        boolean transformed =
                !json.path("transform_config").path("config_groups").isEmpty();
        String sparsity = text(json.path("sparsity_config"), "format");
        if (!COMPRESSED_FORMATS.contains(format)) {
            throw unread(folder, "compressed-tensors, format " + format);
        }
        if (transformed || !sparsity.isEmpty() && !sparsity.equals("dense")) {
            throw unread(folder, "compressed-tensors, " + (transformed ? "with transforms" : sparsity));
        }
        return new PackQuantizedLayout();
    }

    private static PackedLayout normalFloat(Path folder, JsonNode json) {
        if (json.path("load_in_8bit").asBoolean() || json.path("_load_in_8bit").asBoolean()) {
            throw unread(folder, "bitsandbytes, in 8 bits");
        }
        return new NormalFloatLayout();
    }

    private static Optional<PackedLayout> wholeRows(Path folder, JsonNode json) {
        if (json.hasNonNull("weight_block_size")) {
            throw unread(folder, "fp8, with a scale for each square");
        }
        return Optional.empty();
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
