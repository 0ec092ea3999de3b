package dev.demitasse.quantize;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.evaluate.Divergence;
import dev.demitasse.model.Checkpoint;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.ModelConfig;
import dev.demitasse.model.TensorKey;
import dev.demitasse.model.format.IQ4_NL;
import dev.demitasse.model.format.Q2_K;
import dev.demitasse.model.format.Q3_K;
import dev.demitasse.model.format.Q4_0;
import dev.demitasse.model.format.Q4_K;
import dev.demitasse.model.format.Q5_0;
import dev.demitasse.model.format.Q5_1;
import dev.demitasse.model.format.Q5_K;
import dev.demitasse.model.format.Q6_K;
import dev.demitasse.model.format.Q8_0;
import dev.demitasse.model.format.TensorFormat;
import dev.demitasse.model.progress.Progress;
import dev.demitasse.quantize.BudgetPlan.Share;
import dev.demitasse.quantize.SensitivityOptions.Grouping;
import dev.demitasse.quantize.SensitivityOptions.Measure;
import dev.demitasse.quantize.SensitivityReport.Cost;
import dev.demitasse.quantize.SensitivityReport.Row;
import dev.demitasse.quantize.mix.Allocation;
import dev.demitasse.quantize.mix.Allocation.Choice;
import dev.demitasse.quantize.mix.TensorPlan;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Gives every tensor the format with which the model as a whole loses least under a limit of bytes.
 *
 * <p>What a tensor costs is measured once, as the divergence of the model's predictions with it alone rounded to a coarse
 * format; with other formats the cost follows the squared error of the tensor's own output, as the divergence is a
 * quadratic function of a small change. Costs are taken to add up. {@link Allocation} then chooses.
 *
 * <p>Tensors that a file keeps together, a layer's experts of one role, get one format.
 */
public final class Budget {
    /** What is chosen from; those whose blocks do not fill a tensor's rows are left out for it. */
    static final List<TensorFormat> FORMATS = List.of(
            new Q2_K(),
            new Q3_K(),
            new IQ4_NL(),
            new Q4_K(),
            new Q5_0(),
            new Q5_K(),
            new Q5_1(),
            new Q6_K(),
            new Q8_0());

    /** Coarse enough to stand out of the noise of a few thousand tokens; the first that fits. */
    private static final List<TensorFormat> PROBES = List.of(new Q3_K(), new Q4_0());

    /** The share of a projection's cost that is left where errors are compensated, as measured for GPTQ on small models. */
    private static final double COMPENSATED = 0.3;

    private final ModelConfig config;
    private final boolean compensates;
    private final List<TensorGroup> groups;

    private Budget(ModelConfig config, boolean compensates) {
        this.config = config;
        this.compensates = compensates;
        this.groups = TensorGroup.of(config, Grouping.ROLE_AND_LAYER);
    }

    /**
     * Measures and chooses.
     *
     * @param bytes of all matrices that are rounded
     * @param compensates whether errors of the projections will be compensated, as GPTQ does, but not those of embedding and
     *     head
     * @param text that the costs are measured on: a few thousand tokens
     * @throws InvalidRequestException if not even the coarsest formats fit
     */
    public static BudgetPlan plan(
            Checkpoint source, long bytes, boolean compensates, TokenWindows text, Progress progress)
            throws IOException {
        Budget budget = new Budget(source.config(), compensates);
        SensitivityReport probed = Sensitivity.measure(
                source, new SensitivityOptions(PROBES, Grouping.ROLE_AND_LAYER, Measure.KL), text, progress);
        SensitivityReport errors = Sensitivity.measure(
                source, new SensitivityOptions(formats(), Grouping.ROLE_AND_LAYER, Measure.OUTPUT), text, progress);
        return budget.choose(probed, errors, bytes);
    }

    /** Probes among them, to compare errors with. */
    private static List<TensorFormat> formats() {
        List<TensorFormat> all = new ArrayList<>(FORMATS);
        PROBES.stream().filter(probe -> !all.contains(probe)).forEach(all::add);
        return all;
    }

    /** How many bytes {@code bits} for each weight that is rounded are. */
    public static long bytes(ModelConfig config, double bits) {
        return (long) Math.floor(bits / 8 * TensorGroup.all(config).parameters(config));
    }

    /** About what will come of a limit, from the tensors' sizes alone: a bit less costs four times the error. */
    public static TensorPlan estimate(ModelConfig config, long bytes) {
        List<TensorGroup> groups = TensorGroup.of(config, Grouping.ROLE_AND_LAYER);
        List<Map<TensorFormat, Choice>> options = new ArrayList<>();
        for (TensorGroup group : groups) {
            long parameters = group.parameters(config);
            Map<TensorFormat, Choice> sizes = new LinkedHashMap<>();
            for (TensorFormat format : FORMATS) {
                if (group.keys().stream().allMatch(key -> format.fits(config.columns(key)))) {
                    double error = parameters * Math.pow(4, -format.bitsPerElement());
                    sizes.put(format, new Choice(format.bytes(parameters), error));
                }
            }
            options.add(sizes);
        }
        List<List<Choice>> choices =
                options.stream().map(each -> List.copyOf(each.values())).toList();
        int[] chosen = Allocation.choose(choices, bytes).orElseThrow(() -> tooFew(bytes, choices));
        Map<TensorKey, TensorFormat> formats = new LinkedHashMap<>();
        for (int group = 0; group < groups.size(); group++) {
            TensorFormat format = List.copyOf(options.get(group).keySet()).get(chosen[group]);
            groups.get(group).keys().forEach(key -> formats.put(key, format));
        }
        return TensorPlan.of(
                config, key -> Optional.ofNullable(formats.get(key)).orElse(new Q8_0()));
    }

    private static InvalidRequestException tooFew(long limit, List<List<Choice>> choices) {
        return new InvalidRequestException(
                "quantize",
                "%,d bytes are too few: the coarsest formats take %,d".formatted(limit, Allocation.smallest(choices)),
                "allow that many, or prune the model first");
    }

    private BudgetPlan choose(SensitivityReport probed, SensitivityReport errors, long limit) {
        List<Map<TensorFormat, Choice>> options = new ArrayList<>();
        for (int group = 0; group < groups.size(); group++) {
            options.add(options(
                    groups.get(group), probed.rows().get(group), errors.rows().get(group)));
        }
        List<List<Choice>> choices =
                options.stream().map(each -> List.copyOf(each.values())).toList();
        int[] chosen = Allocation.choose(choices, limit).orElseThrow(() -> tooFew(limit, choices));
        Map<TensorKey, TensorFormat> formats = new LinkedHashMap<>();
        List<Share> shares = new ArrayList<>();
        for (int group = 0; group < groups.size(); group++) {
            Map<TensorFormat, Choice> of = options.get(group);
            TensorFormat format = List.copyOf(of.keySet()).get(chosen[group]);
            Map<String, Double> losses = new LinkedHashMap<>();
            of.forEach((option, choice) -> losses.put(option.id(), choice.loss()));
            groups.get(group).keys().forEach(key -> formats.put(key, format));
            Choice taken = choices.get(group).get(chosen[group]);
            shares.add(new Share(
                    groups.get(group).name(),
                    format.id(),
                    groups.get(group).parameters(config),
                    taken.bytes(),
                    taken.loss(),
                    losses));
        }
        return new BudgetPlan(formats, shares, limit);
    }

    private Map<TensorFormat, Choice> options(TensorGroup group, Row probed, Row errors) {
        TensorFormat probe = PROBES.stream()
                .filter(format -> whole(probed, format).isPresent())
                .findFirst()
                .orElseThrow(() -> new InvalidRequestException(
                        group.name(), "has rows that no block format fills", "choose a format instead of a size"));
        double divergence = whole(probed, probe)
                .flatMap(Cost::divergence)
                .map(Divergence::meanKl)
                .orElseThrow();
        double probeError = whole(errors, probe).map(Budget::error).orElseThrow();
        boolean projection = group.keys().stream()
                .allMatch(key -> key.role().projection() && key.role().perLayer());
        // A tensor that seems to cost nothing still costs something.
        double cost = Math.max(divergence, 1e-9) * (compensates && projection ? COMPENSATED : 1);
        Map<TensorFormat, Choice> options = new LinkedHashMap<>();
        for (TensorFormat format : FORMATS) {
            whole(errors, format)
                    .ifPresent(each -> options.put(format, new Choice(each.bytes(), cost * error(each) / probeError)));
        }
        return options;
    }

    /** What a format costs whose blocks fill the rows of all of a group. */
    private static Optional<Cost> whole(Row row, TensorFormat format) {
        return Optional.ofNullable(row.costs().get(format)).filter(each -> each.left() == 0);
    }

    private static double error(Cost cost) {
        return Math.max(1e-12, cost.outputError().orElse(cost.weightError()));
    }
}
