package dev.demitasse.recipes.report;

import dev.demitasse.recipes.report.ReportData.Model;
import java.util.List;
import java.util.function.Function;

/**
 * A figure of the models' table.
 *
 * @param title above it
 * @param explanation what it is, for who points at the title
 * @param value of a model
 */
record Column(String title, String explanation, Function<Model, String> value) {
    /** All but the first column, which names the model. */
    static final List<Column> ALL = List.of(
            new Column("Format", "of most weights", Model::format),
            new Column("Parameters", "numbers it consists of", model -> Figures.count(model.parameters())),
            new Column("Size", "bytes of the weights on disk", model -> Figures.bytes(model.bytes())),
            new Column("Perplexity", "on the test text, with its standard error; lower is better", Column::perplexity),
            new Column(
                    "vs original",
                    "perplexity as a multiple of the original's, with its standard error, token paired with token",
                    model -> withError(
                            Figures.number(model.quality().difference().perplexityRatio()) + "×",
                            model.quality().difference().perplexityRatioError())),
            new Column(
                    "Bits/byte",
                    "of the test text; comparable between tokenizers",
                    model -> Figures.number(model.quality().bitsPerByte())),
            new Column(
                    "Mean KL",
                    "divergence from the reference model, nats per token, with its standard error; 0 is the same model",
                    model -> withError(
                            Figures.number(model.quality().difference().meanKl(), 3),
                            model.quality().difference().meanKlError())),
            new Column(
                    "Median KL",
                    "the divergence that half of the tokens stay below",
                    model -> Figures.number(model.quality().difference().medianKl(), 3)),
            new Column(
                    "99 % KL",
                    "the divergence that 99 % of the tokens stay below",
                    model -> Figures.number(model.quality().difference().p99Kl(), 3)),
            new Column(
                    "Max KL",
                    "the largest divergence after any token",
                    model -> Figures.number(model.quality().difference().maximumKl(), 3)),
            new Column(
                    "Top-1",
                    "tokens where it and the reference model find the same token likeliest",
                    model -> Figures.percent(model.quality().difference().top1Agreement())),
            new Column(
                    "RMS Δp",
                    "how far the right token's probability is from the reference model's, root mean square, in percent points",
                    model -> Figures.percent(model.quality().difference().rmsProbability())),
            new Column(
                    "Prefill t/s",
                    "prompt tokens read per second",
                    model -> Figures.rate(model.speed().prefill())),
            new Column(
                    "Decode t/s",
                    "tokens written per second",
                    model -> Figures.rate(model.speed().decode())));

    /** The value, {@link Figures#ABSENT} without a sign behind it where there is none. */
    String of(Model model) {
        String text = value.apply(model);
        return text.startsWith(Figures.ABSENT) ? Figures.ABSENT : text;
    }

    private static String perplexity(Model model) {
        return withError(
                Figures.number(model.quality().perplexity()), model.quality().standardError());
    }

    private static String withError(String value, double error) {
        return Double.isNaN(error) ? value : value + " ± " + Figures.number(error, 2);
    }
}
