package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Difference;
import dev.demitasse.recipes.report.ReportData.Gate;
import dev.demitasse.recipes.report.ReportData.Kind;
import dev.demitasse.recipes.report.ReportData.LossCurve;
import dev.demitasse.recipes.report.ReportData.LossPoint;
import dev.demitasse.recipes.report.ReportData.Machine;
import dev.demitasse.recipes.report.ReportData.Model;
import dev.demitasse.recipes.report.ReportData.Parity;
import dev.demitasse.recipes.report.ReportData.Quality;
import dev.demitasse.recipes.report.ReportData.Quantization;
import dev.demitasse.recipes.report.ReportData.Sample;
import dev.demitasse.recipes.report.ReportData.Samples;
import dev.demitasse.recipes.report.ReportData.Speed;
import dev.demitasse.recipes.report.ReportData.Stage;
import dev.demitasse.recipes.report.ReportData.TensorError;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/** A report with everything in it; the figures are made up. */
final class Example {
    static final String NASTY = "</p><script>alert('x & y')</script> | **bold** `tick` \u0007";

    private Example() {}

    static ReportData full() {
        return new ReportData(
                "quickstart",
                ZonedDateTime.of(2026, 3, 9, 14, 5, 0, 0, ZoneOffset.UTC),
                new Machine("AMD EPYC 9B14 (2.6 GHz)", 2, "Temurin 25.0.3"),
                List.of(
                        "Perplexity: 24,576 tokens of the test text, windows of 256 that do not overlap, every token but each"
                                + " window's first scored, natural log; text sha256 9f2c41aa",
                        "KL: from the original's distribution, nats per token",
                        "Speed: 128 prompt tokens, 64 new tokens, 2 threads"),
                models(),
                List.of(
                        new Gate(
                                "heal",
                                "perplexity at most 1.10 times that of model",
                                1.071,
                                1.1,
                                true,
                                Optional.empty()),
                        new Gate(
                                "q4",
                                "mean KL from heal at most 0.010",
                                0.0163,
                                0.01,
                                false,
                                Optional.of(
                                        "the layers that hurt most: 3.mlp.down_proj 0.091, 0.self_attn.v_proj 0.084"))),
                List.of(
                        new Parity("artifacts/gguf.gguf", "q4", "built-in", 0, 4.512, 4.512),
                        new Parity("artifacts/onnx.onnx", "int8", "built-in", 3.1e-5, 4.431, 4.4312),
                        new Parity("artifacts/onnx.onnx", "int8", "ONNX Runtime", 0.0124, 4.431, 4.4389)),
                List.of(curve()),
                List.of(quantization("q4", "GPTQ, q4_0", 0.05, 1), quantization("int8", "SmoothQuant, int8", 0.012, 2)),
                Optional.of(new Samples(
                        "One morning, a little fox",
                        List.of(
                                new Sample(
                                        "teacher",
                                        " named Pip went to the river. She saw a boat without an oar, and she called her friend the heron.\n"
                                                + "\"Can you help me?\" asked Pip. The heron nodded, and together they found a long branch."),
                                new Sample("pruned", " the the river was a and boat <unk> said said & then it"),
                                new Sample(
                                        "distilled",
                                        " named Pip walked to the river. She saw a boat, and she called her friend the heron to help."),
                                new Sample("q4_0 GGUF", NASTY)))),
                List.of(
                        new Stage("slim", "prune", Duration.ofMillis(3200), true),
                        new Stage("heal", "distill", Duration.ofSeconds(96), false),
                        new Stage("q4", "quantize", Duration.ofMillis(5400), false),
                        new Stage("int8", "quantize", Duration.ofMillis(2100), false),
                        new Stage("gguf", "export", Duration.ofMillis(410), false),
                        new Stage("onnx", "export", Duration.ofMillis(620), false)));
    }

    /** The least there can be. */
    static ReportData empty() {
        return new ReportData(
                "bare",
                ZonedDateTime.of(2026, 3, 9, 14, 5, 0, 0, ZoneOffset.UTC),
                new Machine("unknown", 1, "25"),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                Optional.empty(),
                List.of());
    }

    private static List<Model> models() {
        String ours = "built-in";
        return List.of(
                model("model", "teacher", Kind.ORIGINAL, "bf16", 2_620_000, 5_242_000, "", ours)
                        .with(new Quality(4.098, 0.041, 0.4712, difference(1, 0, 0, 1)), new Speed(4120, 512)),
                model("slim", "pruned", Kind.PRUNED, "bf16", 1_740_000, 3_480_000, "", ours)
                        .with(
                                new Quality(9.843, 0.13, 0.7713, difference(2.402, 0.9421, 5.31, 0.5512)),
                                new Speed(6010, 731)),
                model("heal", "distilled", Kind.DISTILLED, "bf16", 1_740_000, 3_480_000, "", ours)
                        .with(
                                new Quality(4.389, 0.045, 0.4942, difference(1.071, 0.0812, 0.612, 0.8731)),
                                new Speed(6032, 735)),
                model("q4", "GPTQ q4_0", Kind.QUANTIZED, "q4_0", 1_740_000, 1_010_000, "", ours)
                        .with(
                                new Quality(4.512, 0.046, 0.5034, difference(1.101, 0.0975, 0.71, 0.8514)),
                                new Speed(5900, 1302)),
                model("int8", "SmoothQuant int8", Kind.QUANTIZED, "int8", 1_740_000, 1_790_000, "", ours)
                        .with(
                                new Quality(4.431, 0.045, 0.4973, difference(1.0813, 0.0861, 0.64, 0.8688)),
                                new Speed(9100, 1110)),
                model(
                                "gguf",
                                "q4_0 GGUF",
                                Kind.EXPORTED,
                                "q4_0 gguf",
                                1_740_000,
                                1_020_000,
                                "artifacts/gguf.gguf",
                                ours)
                        .with(
                                new Quality(4.512, 0.046, 0.5034, difference(1.101, 0.0975, 0.71, 0.8514)),
                                new Speed(5890, 1298)),
                model(
                                "onnx",
                                "int8 ONNX",
                                Kind.EXPORTED,
                                "int8 onnx",
                                1_740_000,
                                1_850_000,
                                "artifacts/onnx.onnx",
                                ours)
                        .with(
                                new Quality(4.4312, 0.045, 0.4973, difference(1.0813, 3.21e-5, 2.2e-4, 0.8688)),
                                new Speed(9050, 1100)),
                model("onnx", "int8 ONNX", Kind.EXPORTED, "int8 onnx", 1_740_000, 1_850_000, "", "ONNX Runtime")
                        .with(new Quality(4.4389, 0.045, 0.4979, Difference.ratio(1.0832)), Speed.NONE));
    }

    private static Difference difference(double ratio, double kl, double p99, double top1) {
        return new Difference(ratio, 0.004 * (ratio - 1), kl, kl / 80, kl / 3, p99, 3 * p99, top1, (1 - top1) / 2);
    }

    /** A model without its measurements. */
    private record Unmeasured(Model model) {
        Model with(Quality quality, Speed speed) {
            return new Model(
                    model.stage(),
                    model.label(),
                    model.kind(),
                    model.made(),
                    model.format(),
                    model.parameters(),
                    model.bytes(),
                    model.file(),
                    model.runtime(),
                    quality,
                    speed);
        }
    }

    private static Unmeasured model(
            String stage,
            String label,
            Kind kind,
            String format,
            long parameters,
            long bytes,
            String file,
            String runtime) {
        Optional<String> path = Optional.of(file).filter(name -> !name.isEmpty());
        return new Unmeasured(new Model(
                stage,
                label,
                kind,
                kind == Kind.QUANTIZED ? label.replace(' ', ',') : "",
                format,
                parameters,
                bytes,
                path,
                runtime,
                Quality.NONE,
                Speed.NONE));
    }

    private static LossCurve curve() {
        Random random = new Random(1);
        List<LossPoint> train = new ArrayList<>();
        List<LossPoint> validation = new ArrayList<>();
        for (int step = 1; step <= 1200; step++) {
            double loss = 1.5 + 1.1 * Math.exp(-step / 180.0);
            train.add(new LossPoint(step, loss + 0.06 * random.nextGaussian()));
            if (step % 100 == 0) {
                validation.add(new LossPoint(step, loss + 0.03));
            }
        }
        return new LossCurve("heal", train, validation);
    }

    private static Quantization quantization(String stage, String description, double scale, long seed) {
        Random random = new Random(seed);
        List<TensorError> errors = new ArrayList<>();
        List<String> modules = List.of(
                "self_attn.q_proj",
                "self_attn.k_proj",
                "self_attn.v_proj",
                "self_attn.o_proj",
                "mlp.gate_proj",
                "mlp.up_proj",
                "mlp.down_proj");
        for (int layer = 0; layer < 4; layer++) {
            for (String module : modules) {
                String name = "model.layers." + layer + "." + module + ".weight";
                errors.add(new TensorError(name, scale * (1 + layer * 0.2 + random.nextDouble())));
            }
        }
        return new Quantization(stage, description, errors, List.of());
    }
}
