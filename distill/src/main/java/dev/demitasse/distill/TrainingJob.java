package dev.demitasse.distill;

import dev.demitasse.datasets.TokenWindows;
import java.nio.file.Path;
import java.util.Optional;

/**
 * One training.
 *
 * @param student what is trained
 * @param teacher what it learns from; without one, or with a loss that gives it no weight, the text alone
 * @param train windows to learn from
 * @param validation windows that are only looked at
 * @param options how
 * @param output folder for the trained checkpoint
 * @param work folder for the state to resume from and {@code curve.jsonl}
 */
public record TrainingJob(
        Student student,
        Optional<Path> teacher,
        TokenWindows train,
        Optional<TokenWindows> validation,
        TrainingOptions options,
        Path output,
        Path work) {}
