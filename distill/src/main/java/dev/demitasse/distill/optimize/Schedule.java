package dev.demitasse.distill.optimize;

/**
 * The learning rate over time: up a straight line for {@code warmupSteps}, then down half a cosine to 0 at
 * {@code totalSteps} (Loshchilov and Hutter, arXiv:1608.03983, eq. 5 without restarts; transformers'
 * {@code get_cosine_schedule_with_warmup}).
 *
 * @param peak the largest rate
 * @param warmupSteps steps until the peak
 * @param totalSteps steps of the whole training
 * @param offset added to the step: with 0 the first step has rate 0 and moves nothing, as transformers has it; with 1 every
 *     step moves
 */
public record Schedule(double peak, int warmupSteps, int totalSteps, int offset) {
    public Schedule {
        if (!(peak >= 0) || warmupSteps < 0 || totalSteps < 1 || offset < 0) {
            throw new IllegalArgumentException(
                    "peak %s, warm-up %d of %d steps".formatted(peak, warmupSteps, totalSteps));
        }
    }

    /** The rate of step {@code step}, counted from 0. */
    public double at(int step) {
        int place = step + offset;
        if (place < warmupSteps) {
            return peak * place / warmupSteps;
        }
        double progress = (double) (place - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
        return peak * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress))));
    }
}
