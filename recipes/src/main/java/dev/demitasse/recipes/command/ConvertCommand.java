package dev.demitasse.recipes.command;

import dev.demitasse.export.ExportReport;
import dev.demitasse.export.gguf.GgufExport;
import dev.demitasse.export.gguf.GgufOptions;
import dev.demitasse.export.huggingface.HuggingFaceExport;
import dev.demitasse.export.huggingface.HuggingFaceLayout;
import dev.demitasse.export.onnx.OnnxExport;
import dev.demitasse.export.onnx.OnnxOptions;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.TensorKey.Part;
import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.model.safetensors.CheckpointWriter;
import dev.demitasse.recipes.language.Export;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** One kind of file into another. */
@Command(
        name = "convert",
        mixinStandardHelpOptions = true,
        description = {
            "Writes a model as another kind of file: a checkpoint folder as GGUF or ONNX, a GGUF as a checkpoint folder.",
            "Weights are rounded to nearest where the format asks for it; to choose them better, quantize in a recipe."
        })
final class ConvertCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ModelArgument model = new ModelArgument();

    @Parameters(
            index = "1",
            paramLabel = "TARGET",
            description = "What to write: a name that ends in .gguf or .onnx, or a new folder in Hugging Face layout.")
    private Path target = Path.of("");

    @Option(
            names = "--format",
            paramLabel = "FORMAT",
            description = {
                "f32, f16, bf16, and in GGUF q8_0 or q4_0. As the model has it if nothing is said; blocks become bf16 in a"
                        + " folder, which transformers can load then. ONNX is f32, int8, q8_0, q4_0 or int4 as the"
                        + " model is; f32 turns blocks that it has no operator for into floats."
            })
    private Optional<String> format = Optional.empty();

    @Option(
            names = "--layout",
            paramLabel = "LAYOUT",
            description = {
                "gptq, awq, compressed_tensors or bitsandbytes: writes a folder as that quantizer does, with weights that are"
                        + " in a format which it holds."
            })
    private Optional<String> layout = Optional.empty();

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        Progress progress = ProgressDisplay.onStandardError();
        Optional<TensorFormat> wanted = format.map(ConvertCommand::formatNamed);
        String name = target.getFileName().toString();
        if (layout.isPresent() && (wanted.isPresent() || name.endsWith(".gguf") || name.endsWith(".onnx"))) {
            throw new InvalidRequestException(
                    "--layout", "is for folders, whose weights are as they were quantized", "leave out --format");
        }
        try (Checkpoint source = Checkpoint.open(model.path())) {
            if (name.endsWith(".gguf")) {
                GgufOptions options = wanted.map(GgufOptions::of).orElseGet(GgufOptions::asStored);
                print(GgufExport.write(source, options, target, progress), out);
            } else if (name.endsWith(".onnx")) {
                if (wanted.isPresent() && wanted.get() != ScalarFormat.F32) {
                    throw new InvalidRequestException("--format", "is not for ONNX", "quantize in a recipe");
                }
                OnnxOptions options = wanted.isPresent() ? OnnxOptions.DEFAULT.withDequantized() : OnnxOptions.DEFAULT;
                print(OnnxExport.write(source, options, target, progress), out);
            } else if (layout.isPresent()) {
                requireEmpty();
                print(HuggingFaceExport.write(source, layoutNamed(layout.get()), target, progress), out);
            } else {
                writeFolder(source, wanted, progress);
                out.println(target.toAbsolutePath());
            }
        }
        out.flush();
        return 0;
    }

    private static TensorFormat formatNamed(String name) {
        Map<String, TensorFormat> formats = Export.formats();
        return Optional.ofNullable(formats.get(name))
                .orElseThrow(() -> new InvalidRequestException(
                        "--format", "'" + name + "' is not one", "there are " + String.join(", ", formats.keySet())));
    }

    private static HuggingFaceLayout layoutNamed(String name) {
        return Stream.of(HuggingFaceLayout.values())
                .filter(each -> each.id().equals(name))
                .findFirst()
                .orElseThrow(() -> new InvalidRequestException(
                        "--layout",
                        "'" + name + "' is not one",
                        "there are gptq, awq, compressed_tensors and bitsandbytes"));
    }

    private static void print(ExportReport report, PrintWriter out) {
        report.files().forEach(out::println);
        report.notes().forEach(note -> out.println("note: " + note));
    }

    private void writeFolder(Checkpoint source, Optional<TensorFormat> wanted, Progress progress) throws IOException {
        requireEmpty();
        if (wanted.isPresent() && wanted.get() instanceof BlockFormat) {
            throw new InvalidRequestException(
                    "--format", "of blocks is not for a folder", "quantize in a recipe, or write a .gguf");
        }
        List<TensorKey> keys = source.config().tensors();
        progress.begin("writing checkpoint", keys.size(), "tensors");
        try (CheckpointWriter writer = CheckpointWriter.create(
                target, source.config(), source.tokenizer(), key -> folderFormat(source, key, wanted))) {
            for (TensorKey key : keys) {
                boolean scaled = folderFormat(source, key, wanted).rowScaled();
                writer.write(key, scaled ? source.tensor(key) : source.decoded(key));
                if (scaled) {
                    writer.write(key.part(Part.SCALE), source.tensor(key.part(Part.SCALE)));
                }
                progress.advance(1);
            }
            writer.commit();
        }
        progress.end();
    }

    private static TensorFormat folderFormat(Checkpoint source, TensorKey key, Optional<TensorFormat> wanted) {
        TensorFormat stored = source.format(key);
        if (stored.rowScaled() && !(stored instanceof BlockFormat)) {
            return stored;
        }
        return wanted.orElse(stored instanceof BlockFormat ? ScalarFormat.BF16 : stored);
    }

    private void requireEmpty() throws IOException {
        if (!Files.exists(target)) {
            return;
        }
        boolean empty = false;
        if (Files.isDirectory(target)) {
            try (Stream<Path> files = Files.list(target)) {
                empty = files.findAny().isEmpty();
            }
        }
        if (!empty) {
            throw new InvalidRequestException(
                    target, "is there already", "name a new folder, or a .gguf or .onnx file");
        }
    }
}
