package dev.demitasse.quantize.matrix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.demitasse.quantize.matrix.Hessian.SecondMoment;
import dev.demitasse.quantize.matrix.Hessian.Without;
import org.junit.jupiter.api.Test;

/** What an error of some columns costs once others are set to make up for it, spelled out. */
class RemainingMomentTest {
    private static final int COLUMNS = 24;

    private final SecondMoment moment = MadeUpInputs.moment(MadeUpInputs.correlated(200, COLUMNS, 5));
    private final int[] kept = {3, 4, 17};

    private static double cost(SecondMoment moment, double[] error) {
        double sum = 0;
        for (int row = 0; row < COLUMNS; row++) {
            for (int column = 0; column < COLUMNS; column++) {
                boolean dead = moment.dead(row) || moment.dead(column);
                sum += dead ? 0 : error[row] * moment.at(row, column) * error[column];
            }
        }
        return sum;
    }

    @Test
    void keptColumnsMakeUpForTheOthersAsBestTheyCan() {
        Without without = moment.without(kept, 0);
        float[] errors = MadeUpInputs.gaussian(1, COLUMNS, 6, 1).values();
        double[] all = new double[COLUMNS];
        for (int column = 0; column < COLUMNS; column++) {
            all[column] = errors[column];
        }
        for (int i = 0; i < kept.length; i++) {
            errors[kept[i]] = 0;
        }
        for (int i = 0; i < kept.length; i++) {
            // What is added to the kept weight is taken off its error.
            all[kept[i]] = -without.madeUp(i, errors);
        }
        double least = cost(moment, all);
        assertThat(cost(without.moment(), all)).isCloseTo(least, within(2e-3 * least));
        for (int column : kept) {
            for (double change : new double[] {-0.05, 0.05}) {
                double[] other = all.clone();
                other[column] += change;
                assertThat(cost(moment, other)).isGreaterThan(least);
            }
            assertThat(without.moment().dead(column)).isTrue();
        }
    }
}
