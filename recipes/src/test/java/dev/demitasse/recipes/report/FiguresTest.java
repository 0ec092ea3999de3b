package dev.demitasse.recipes.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Expected texts are what a person would write. */
class FiguresTest {
    @ParameterizedTest
    @CsvSource({
        "4.09812, 4.098",
        "0.5, 0.5000",
        "0.04712345, 0.04712",
        "0.0031, 0.003100",
        "0, 0",
        "12345.678, '12,346'",
        "999.96, '1,000'",
        "0.0000321, 3.21e−5",
        "-0.25, −0.2500",
        "1.5e9, 1.50e9",
        "NaN, –",
        "Infinity, ∞"
    })
    void numbersHaveFourSignificantDigits(double value, String expected) {
        assertThat(Figures.number(value)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"0, 0 B", "999, 999 B", "1000, 1.00 kB", "5242000, 5.24 MB", "999600, 1.00 MB", "14500000000, 14.5 GB"})
    void bytesAreDecimal(long bytes, String expected) {
        assertThat(Figures.bytes(bytes)).isEqualTo(expected);
    }

    @Test
    void countsAndRatesAndRatios() {
        assertThat(Figures.count(1_740_000)).isEqualTo("1.74M");
        assertThat(Figures.count(250)).isEqualTo("250");
        assertThat(Figures.rate(1302.4)).isEqualTo("1,302");
        assertThat(Figures.rate(4.256)).isEqualTo("4.26");
        assertThat(Figures.rate(Double.NaN)).isEqualTo("–");
        assertThat(Figures.times(5.139)).isEqualTo("5.1×");
        assertThat(Figures.percent(0.87314)).isEqualTo("87.3 %");
        assertThat(Figures.change(0.0732)).isEqualTo("+7.3 %");
        assertThat(Figures.change(-0.5)).isEqualTo("−50.0 %");
        assertThat(Figures.change(0.00045)).isEqualTo("+0.045 %");
        assertThat(Figures.change(Double.NaN)).isEqualTo("–");
    }

    @ParameterizedTest
    @CsvSource({"2, 2", "0.15, 0.15", "0, 0", "0.0002, 2e−4", "1500, '1,500'"})
    void ticksHaveNoZerosToSpare(double value, String expected) {
        assertThat(Figures.tick(value)).isEqualTo(expected);
    }

    @Test
    void durationsAreShort() {
        assertThat(Figures.duration(Duration.ofMillis(410))).isEqualTo("410 ms");
        assertThat(Figures.duration(Duration.ofMillis(3200))).isEqualTo("3.20 s");
        assertThat(Figures.duration(Duration.ofSeconds(96))).isEqualTo("1 min 36 s");
        assertThat(Figures.duration(Duration.ofMinutes(125))).isEqualTo("2 h 05 min");
    }
}
