package dev.demitasse.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class TokenInputTest {
    private final TokenInput input = TokenInput.of(new int[] {7, 1, 8, 1});

    /** OPT's table has two rows before position 0; transformers counts tokens of any id. */
    @Test
    void positionsCountFromTheOffset() {
        assertThat(input.positionRows(config(InputEmbedding.plain(8).withPositions(12, 2), true)))
                .containsExactly(2, 3, 4, 5);
        assertThat(input.positionRows(config(InputEmbedding.plain(8).withPositions(4, 0), false)))
                .containsExactly(0, 1, 2, 3);
    }

    /** transformers' create_position_ids_from_input_ids with padding id 1. */
    @Test
    void paddingOfRobertaTakesItsOwnRow() {
        assertThat(input.positionRows(config(InputEmbedding.plain(8).withPositions(12, 2), false)))
                .containsExactly(2, 1, 3, 1);
    }

    @Test
    void refusesPositionsAndSegmentsThatTheModelHasNot() {
        ModelConfig config = config(InputEmbedding.plain(8).withPositions(3, 0).withTokenTypes(2), false);
        assertThatThrownBy(() -> input.positionRows(config))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("4 tokens")
                .hasMessageContaining("3 positions");
        assertThat(input.segments(config)).containsExactly(0, 0, 0, 0);
        TokenInput third = new TokenInput(new int[2], Optional.empty(), Optional.of(new int[] {0, 2}));
        assertThatThrownBy(() -> third.segments(config))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("segment 2");
    }

    private static ModelConfig config(InputEmbedding embedding, boolean causal) {
        return ModelConfig.of(Families.named("llama"))
                .vocabularySize(16)
                .hiddenSize(8)
                .layers(1)
                .embedding(embedding)
                .attention(Attention.of(1, 1, 8))
                .feedForward(FeedForward.plain(8, FeedForward.Activation.GELU, true))
                .positions(new Positions.None())
                .causal(causal)
                .specialTokens(new SpecialTokens(OptionalInt.empty(), List.of(), OptionalInt.of(1)))
                .build();
    }
}
