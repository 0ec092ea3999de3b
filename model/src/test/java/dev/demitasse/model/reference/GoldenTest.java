package dev.demitasse.model.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.model.InvalidRequestException;
import dev.demitasse.model.TokenInput;
import dev.demitasse.model.reference.Golden.Sequence;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GoldenTest {
    /** The golden README's shapes: 2 sequences of 24 tokens, hidden width 64, 3 layers, 320 tokens. */
    @Test
    void readsEverySequence() throws IOException {
        Golden golden = Golden.read(SharedData.require("golden/llama"));
        assertThat(golden.sequences()).hasSize(2).allSatisfy(sequence -> {
            assertThat(sequence.inputIds()).hasSize(24);
            assertThat(sequence.vocabularySize()).isEqualTo(320);
            assertThat(sequence.hiddenStates())
                    .hasSize(4)
                    .allSatisfy(states -> assertThat(states).hasSize(24 * 64));
            assertThat(sequence.lastBlockOutput().orElseThrow()).hasSize(24 * 64);
            assertThat(sequence.greedy().orElseThrow()).hasSize(24);
        });
    }

    /** golden.json: the mean negative log-likelihood of each sequence's next tokens. */
    @Test
    void logitsBelongToTheirSequence() throws IOException {
        Golden golden = Golden.read(SharedData.require("golden/llama"));
        assertThat(nll(golden.sequences().get(0))).isCloseTo(6.552596572500809, within(1e-6));
        assertThat(nll(golden.sequences().get(1))).isCloseTo(6.5005135481345535, within(1e-6));
    }

    private static double nll(Sequence sequence) {
        int vocabulary = sequence.vocabularySize();
        double sum = 0;
        for (int t = 0; t + 1 < sequence.length(); t++) {
            double total = 0;
            for (int v = 0; v < vocabulary; v++) {
                total += Math.exp(sequence.logits()[t * vocabulary + v]);
            }
            sum += Math.log(total) - sequence.logits()[t * vocabulary + sequence.inputIds()[t + 1]];
        }
        return sum / (sequence.length() - 1);
    }

    @Test
    void readsLongSequencesToo() throws IOException {
        Golden golden = Golden.read(SharedData.require("golden/mistral_sliding"));
        assertThat(golden.sequences()).extracting(Sequence::length).containsExactly(24, 24, 40);
        assertThat(golden.sequences().get(2).greedy()).isEmpty();
    }

    /** The golden README: an encoder's second row is padded from 18; BERT has segments, DistilBERT none. */
    @Test
    void readsWhatEncodersAreGiven() throws IOException {
        Golden golden = Golden.read(SharedData.require("golden/bert_mlm"));
        TokenInput padded = golden.sequences().get(1).input();
        for (int i = 0; i < padded.length(); i++) {
            assertThat(padded.attended().orElseThrow()[i]).isEqualTo(i < 18);
        }
        assertThat(padded.tokenTypes().orElseThrow()).hasSize(24).containsOnly(0, 1);
        Sequence unsegmented = Golden.read(SharedData.require("golden/distilbert_mlm"))
                .sequences()
                .getFirst();
        assertThat(unsegmented.tokenTypes()).isEmpty();
        assertThat(unsegmented.attended()).isPresent();
    }

    @Test
    void saysWhatIsMissing(@TempDir Path folder) {
        assertThatThrownBy(() -> Golden.read(folder))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("golden.safetensors");
    }
}
