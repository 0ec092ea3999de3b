package dev.demitasse.recipes.command;

import dev.demitasse.model.progress.Progress;
import java.io.PrintStream;
import java.time.temporal.ChronoUnit;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * Shows long work on standard error: a bar with rate and time left on a terminal, and one plain line when a task begins
 * and every half minute elsewhere, so that a log stays readable.
 */
final class ProgressDisplay implements Progress {
    private static final long LINE_EVERY_NANOS = 30_000_000_000L;

    private final PrintStream out;
    private final boolean terminal;
    private String task = "";
    private String unit = "";
    private String note = "";
    private long steps;
    private int parts = 1;
    private long done;
    private long lastLine;
    private @Nullable ProgressBar bar;

    /** @param terminal whether {@code out} is a screen, on which a line can be drawn again */
    ProgressDisplay(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** On standard error, which is taken for a screen where the process has a console. */
    static ProgressDisplay onStandardError() {
        java.io.Console console = System.console();
        return new ProgressDisplay(System.err, console != null && console.isTerminal());
    }

    @Override
    public void begin(String task, long steps, String unit) {
        begin(task, steps, unit, 1);
    }

    @Override
    public void begin(String task, long steps, String unit, int parts) {
        end();
        this.task = task;
        this.steps = steps;
        this.unit = unit;
        this.parts = parts;
        note = "";
        done = 0;
        lastLine = System.nanoTime();
        if (terminal) {
            bar = new ProgressBarBuilder()
                    .setTaskName("  " + task)
                    .setInitialMax(steps * parts)
                    .setStyle(ProgressBarStyle.UNICODE_BLOCK)
                    .setUnit(" " + unit, parts)
                    .showSpeed()
                    .setSpeedUnit(ChronoUnit.SECONDS)
                    .setUpdateIntervalMillis(200)
                    .setConsumer(new ConsoleProgressBarConsumer(out, 110))
                    .clearDisplayOnFinish()
                    .build();
        }
    }

    @Override
    public void advance(long count) {
        done += count;
        if (bar != null) {
            bar.stepBy(count);
        } else if (!terminal && System.nanoTime() - lastLine > LINE_EVERY_NANOS) {
            lastLine = System.nanoTime();
            out.printf("  %s: %,d of %,d %s %s%n", task, done / parts, steps, unit, note);
        }
    }

    @Override
    public void note(String text) {
        note = text;
        if (bar != null) {
            bar.setExtraMessage(" " + text);
        }
    }

    @Override
    public void end() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }
}
