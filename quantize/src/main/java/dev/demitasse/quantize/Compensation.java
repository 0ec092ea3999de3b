package dev.demitasse.quantize;

import dev.demitasse.quantize.QuantizeOptions.Method;
import dev.demitasse.quantize.gptq.CoordinateDescent;
import dev.demitasse.quantize.gptq.FloatTarget;
import dev.demitasse.quantize.gptq.Gptq;
import dev.demitasse.quantize.gptq.GptqOptions;
import dev.demitasse.quantize.grid.Grid;
import dev.demitasse.quantize.grid.QuantizedMatrix;
import dev.demitasse.quantize.matrix.FloatPanels;
import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Matrix;
import dev.demitasse.quantize.signround.SignRound;
import java.util.List;
import java.util.Optional;

/** GPTQ or SignRound for the projections of one input, with all that goes before and after. */
final class Compensation {
    /** With this many tokens for each column {@link #SUFFICIENT_DAMPING} is enough for a float target. */
    private static final double TOKENS_PER_COLUMN = 64;

    private static final double SUFFICIENT_DAMPING = 0.05;
    private static final double LARGEST_DAMPING = 0.3;

    private final QuantizeOptions options;
    private final long tokens;
    private final SecondMoment moment;
    private final Gptq gptq;
    private final Optional<FloatPanels> hessian;
    private final Optional<FloatTarget> target;
    private final Moments moments;

    /**
     * @param remaining what matters of the input, columns that are kept as they are left out
     * @param tokens of the calibration
     */
    Compensation(QuantizeOptions options, Moments moments, SecondMoment remaining, List<Grid> grids, long tokens) {
        this.options = options;
        this.tokens = tokens;
        this.moments = moments;
        this.moment = remaining;
        int group = grids.stream().mapToInt(Grid::blockSize).max().orElseThrow();
        this.gptq = Gptq.prepare(moment, group, GptqOptions.forBlocks(damping(), options.actOrder()));
        this.hessian = options.refinements() > 0 ? Optional.of(moment.panels()) : Optional.empty();
        boolean aims = moments.drift().isPresent() || moments.missed().isPresent();
        this.target = aims ? Optional.of(whole(group).target(options.floatTarget())) : Optional.empty();
    }

    /** What the weight as a whole is to come near to is the whole input's matter. */
    private Gptq whole(int group) {
        return moment == moments.input()
                ? gptq
                : Gptq.prepare(moments.input(), group, GptqOptions.forBlocks(damping(), options.actOrder()));
    }

    /**
     * Aiming at the float model's outputs fits two matrices to the calibration, which few tokens do not determine:
     * below {@value #TOKENS_PER_COLUMN} for each column damping rises in proportion.
     */
    private double damping() {
        double columns = moment.width();
        double scarcity = TOKENS_PER_COLUMN * columns / tokens;
        double needed = Math.min(LARGEST_DAMPING, SUFFICIENT_DAMPING * scarcity);
        return options.floatTarget() > 0 ? Math.max(options.damping(), needed) : options.damping();
    }

    /** The weight to come near to instead of {@code weight}. */
    Matrix aim(Matrix weight) {
        if (target.isPresent() && moments.missed().isPresent()) {
            return target.get().missed(weight, moments.missed().get());
        }
        if (target.isPresent() && moments.drift().isPresent()) {
            return target.get().drifted(weight, moments.drift().get());
        }
        return weight;
    }

    QuantizedMatrix quantize(Matrix aim, Grid grid) {
        if (options.method() == Method.SIGNROUND) {
            return SignRound.quantize(aim, grid, moment, moment.panels(), options.steps());
        }
        QuantizedMatrix matrix = gptq.quantize(aim, grid).matrix();
        hessian.ifPresent(
                packed -> CoordinateDescent.refine(matrix, aim, moment, packed, gptq.damping(), options.refinements()));
        return matrix;
    }
}
