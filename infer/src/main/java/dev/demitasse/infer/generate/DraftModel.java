package dev.demitasse.infer.generate;

import dev.demitasse.infer.LanguageModel;
import dev.demitasse.infer.Logits;
import dev.demitasse.infer.Session;
import dev.demitasse.model.InvalidRequestException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Proposes what a smaller model with the same tokens would write, drawn by the same options. */
public final class DraftModel implements Drafter {
    private final LanguageModel model;
    private final Sampler sampler;
    private @Nullable Session session;
    /** What the session has taken in. */
    private int[] taken = {};

    /**
     * @param model stays the caller's to close
     * @param target whose text it proposes
     * @throws InvalidRequestException if their vocabularies are of different sizes
     */
    public DraftModel(LanguageModel model, LanguageModel target, SamplingOptions options) {
        int ours = model.config().vocabularySize();
        int theirs = target.config().vocabularySize();
        if (ours != theirs) {
            throw new InvalidRequestException(
                    "draft model",
                    "has a vocabulary of %,d tokens, the model one of %,d".formatted(ours, theirs),
                    "take one with the same tokenizer");
        }
        this.model = model;
        // Its draws must not be those of the model's own sampler.
        this.sampler = new Sampler(new SamplingOptions(
                options.temperature(), options.topK(), options.topP(), options.seed() ^ 0x5DEECE66DL));
    }

    @Override
    public Draft draft(int[] sequence, int length, int most) {
        int room = model.config().maximumPositions() - length + 1;
        int count = Math.min(most, room);
        if (count < 1) {
            return Draft.NONE;
        }
        Session open = session;
        if (open == null) {
            open = model.newSession(model.config().maximumPositions());
            session = open;
        }
        int common = Math.min(length - 1, Math.min(taken.length, open.position()));
        int agree = Arrays.mismatch(sequence, 0, common, taken, 0, common);
        open.truncate(agree < 0 ? common : agree);
        int[] tokens = new int[count];
        List<Distribution> proposals = new ArrayList<>();
        float[] logits = open.forward(Arrays.copyOfRange(sequence, open.position(), length), Logits.LAST);
        for (int i = 0; i < count; i++) {
            Distribution proposal = sampler.distribution(logits, 0, logits.length);
            tokens[i] = sampler.draw(proposal);
            proposals.add(proposal);
            if (i + 1 < count) {
                logits = open.forward(new int[] {tokens[i]}, Logits.LAST);
            }
        }
        taken = Arrays.copyOf(sequence, length + count - 1);
        System.arraycopy(tokens, 0, taken, length, count - 1);
        return new Draft(tokens, proposals);
    }

    @Override
    public void close() {
        if (session != null) {
            session.close();
            session = null;
        }
    }
}
