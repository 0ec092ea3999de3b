package dev.demitasse.recipes.language;

import dev.demitasse.model.format.BlockFormat;
import dev.demitasse.model.format.ScalarFormat;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.gguf.GgmlType;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Writes a checkpoint as one file that other programs run.
 *
 * @param target what kind of file
 * @param weights GGUF: what float matrices are stored in; empty as they are. Those in a block format stay in it
 * @param file its name in the run's artifacts folder; empty for the stage's id with the kind's ending
 */
public record Export(Target target, Optional<TensorFormat> weights, Optional<String> file) implements Work {
    /** Kinds of files. */
    public enum Target {
        GGUF,
        ONNX
    }

    private static final Key<Target> FORMAT =
            Key.required("format", Kind.choice(Target.class, "a file format"), "what kind of file");
    private static final Key<TensorFormat> WEIGHTS = Key.optional(
            "weights",
            Kind.choice(formats(), "a format"),
            "GGUF: format of matrices that are still float; without it they stay as they are. Quantized ones always do");
    private static final Key<String> FILE = Key.optional(
            "file", Kind.TEXT, "the file's name in `artifacts/`; without it the stage's id and `.gguf` or `.onnx`");

    static final Section SECTION =
            new Section("export", "Writes a file that other programs run.", FORMAT, WEIGHTS, FILE);

    /** What float matrices may be stored in, by name. */
    public static Map<String, TensorFormat> formats() {
        Map<String, TensorFormat> formats = new TreeMap<>();
        for (TensorFormat format : TensorFormat.all()) {
            if (format instanceof BlockFormat && GgmlType.of(format).isPresent()
                    || format == ScalarFormat.F32
                    || format == ScalarFormat.F16
                    || format == ScalarFormat.BF16) {
                formats.put(format.id(), format);
            }
        }
        return formats;
    }

    static Export read(Fields fields) {
        Target target = fields.get(FORMAT);
        if (target == Target.ONNX && fields.has(WEIGHTS)) {
            fields.wrong(WEIGHTS, "is for gguf; an onnx file holds what the checkpoint holds");
        }
        Optional<String> file = fields.find(FILE);
        if (file.isPresent() && !file.get().endsWith("." + Kind.word(target))) {
            fields.wrong(FILE, "must end in .%s, is '%s'".formatted(Kind.word(target), file.get()));
        } else if (file.isPresent() && !file.get().matches("[A-Za-z0-9_][A-Za-z0-9_.-]*")) {
            fields.wrong(FILE, "must be a plain file name, is '%s'".formatted(file.get()));
        }
        return new Export(target, fields.find(WEIGHTS), file);
    }

    /** The name of the file that stage {@code id} writes. */
    public String fileName(String id) {
        return file.orElse(id + "." + Kind.word(target));
    }

    @Override
    public String name() {
        return "export";
    }
}
