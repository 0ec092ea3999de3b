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
                    "perplexity as a multiple of the original's",
                    model -> Figures.number(model.quality().perplexityRatio()) + "×"),
            new Column(
                    "Bits/byte",
                    "of the test text; comparable between tokenizers",
                    model -> Figures.number(model.quality().bitsPerByte())),
            new Column(
                    "Mean KL",
                    "divergence from the reference model, nats per token; 0 is the same model",
                    model -> Figures.number(model.quality().meanKl(), 3)),
            new Column(
                    "99 % KL",
                    "the divergence that 99 % of the tokens stay below",
                    model -> Figures.number(model.quality().p99Kl(), 3)),
            new Column(
                    "Top-1",
                    "tokens where it and the reference model find the same token likeliest",
                    model -> Figures.percent(model.quality().top1Agreement())),
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
        double error = model.quality().standardError();
        String text = Figures.number(model.quality().perplexity());
        return Double.isNaN(error) ? text : text + " ± " + Figures.number(error, 2);
    }
}
