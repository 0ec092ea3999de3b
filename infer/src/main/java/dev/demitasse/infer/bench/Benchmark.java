package dev.demitasse.infer.bench;

import dev.demitasse.datasets.TokenWindows;
import dev.demitasse.infer.CpuModel;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.infer.evaluate.Evaluation;
import dev.demitasse.infer.evaluate.Protocol;
import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.progress.Progress;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Times workloads of random tokens, for which a model needs no tokenizer. Repetitions before the first that counts let the
 * JVM compile; they are told apart.
 */
public final class Benchmark {
    private static final long SEED = 1;

    private final CpuModel model;
    private final BandwidthProbe probe;
    private final int repetitions;
    private final double warmUpSeconds;

    /**
     * @param probe of as many threads as the model has
     * @param repetitions that count
     * @param warmUpSeconds how long each workload runs before
     */
    public Benchmark(CpuModel model, BandwidthProbe probe, int repetitions, double warmUpSeconds) {
        if (repetitions < 1) {
            throw new InvalidRequestException("repetitions", "are " + repetitions, "give 1 or more");
        }
        if (!(warmUpSeconds >= 0) || warmUpSeconds == Double.POSITIVE_INFINITY) {
            throw new InvalidRequestException("warm-up", "is " + warmUpSeconds + " seconds", "give 0 or more");
        }
        this.model = model;
        this.probe = probe;
        this.repetitions = repetitions;
        this.warmUpSeconds = warmUpSeconds;
    }

    public Measurement run(Workload workload) {
        Random random = new Random(SEED);
        List<Double> warmUps = new ArrayList<>();
        long start = System.nanoTime();
        while (System.nanoTime() - start < warmUpSeconds * 1e9) {
            warmUps.add(once(workload, random));
        }
        List<Double> rates = new ArrayList<>();
        List<Double> bandwidths = new ArrayList<>();
        for (int repetition = 0; repetition < repetitions; repetition++) {
            if (workload.kind() == Workload.Kind.DECODE) {
                double before = probe.bytesPerSecond();
                rates.add(once(workload, random));
                bandwidths.add((before + probe.bytesPerSecond()) / 2);
            } else {
                rates.add(once(workload, random));
            }
        }
        return new Measurement(workload, rates, bandwidths, warmUps);
    }

    /** Tokens a second of one repetition. */
    private double once(Workload workload, Random random) {
        int[] tokens = tokens(random, workload.tokens());
        double seconds = switch (workload.kind()) {
            case SCORE -> score(tokens);
            case PREFILL, DECODE -> {
                try (Session session = model.newSession(workload.depth() + tokens.length)) {
                    if (workload.depth() > 0) {
                        session.forward(tokens(random, workload.depth()), Logits.LAST);
                    }
                    yield workload.kind() == Workload.Kind.PREFILL ? prefill(session, tokens) : decode(session, tokens);
                }
            }
        };
        return tokens.length / seconds;
    }

    private static double prefill(Session session, int[] tokens) {
        long start = System.nanoTime();
        session.forward(tokens, Logits.LAST);
        return (System.nanoTime() - start) / 1e9;
    }

    private static double decode(Session session, int[] tokens) {
        int[] one = new int[1];
        long start = System.nanoTime();
        for (int token : tokens) {
            one[0] = token;
            session.forward(one, Logits.LAST);
        }
        return (System.nanoTime() - start) / 1e9;
    }

    private double score(int[] tokens) {
        TokenWindows window = TokenWindows.ofTokens("random tokens", List.of(tokens));
        long start = System.nanoTime();
        Evaluation.run(model, List.of(), window, Protocol.DEFAULT, Progress.SILENT);
        return (System.nanoTime() - start) / 1e9;
    }

    private int[] tokens(Random random, int count) {
        return random.ints(count, 0, model.config().vocabularySize()).toArray();
    }
}
