package dev.demitasse.export;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What an export wrote.
 *
 * @param files what to ship, the model first
 * @param bytes of the files that hold the weights
 * @param tensorsByFormat how many tensors are stored in each format, by format id
 * @param formats the format each tensor is stored in, by its name in the file
 * @param changes tensors that are not stored as they were, or as was asked, and why
 * @param notes what a reader of the file should know
 */
public record ExportReport(
        List<Path> files,
        long bytes,
        Map<String, Integer> tensorsByFormat,
        Map<String, String> formats,
        List<Change> changes,
        List<String> notes) {

    /** A tensor whose format is not the one it had, or not the one asked for. */
    public record Change(String tensor, String from, String to, String reason) {}

    public ExportReport {
        files = List.copyOf(files);
        tensorsByFormat = Map.copyOf(tensorsByFormat);
        formats = Map.copyOf(formats);
        changes = List.copyOf(changes);
        notes = List.copyOf(notes);
    }

    /** Gathers a report while a file is written. */
    public static final class Builder {
        private final Map<String, Integer> tensorsByFormat = new LinkedHashMap<>();
        private final Map<String, String> formats = new LinkedHashMap<>();
        private final List<Change> changes = new ArrayList<>();
        private final List<String> notes = new ArrayList<>();

        /** A tensor is stored as {@code format}. */
        public void stored(String tensor, String format) {
            if (formats.put(tensor, format) == null) {
                tensorsByFormat.merge(format, 1, Integer::sum);
            }
        }

        /** A tensor is not stored as it was, or as was asked; said once. */
        public void changed(String tensor, String from, String to, String reason) {
            Change change = new Change(tensor, from, to, reason);
            if (!changes.contains(change)) {
                changes.add(change);
            }
        }

        /** Says something once. */
        public void note(String note) {
            if (!notes.contains(note)) {
                notes.add(note);
            }
        }

        public ExportReport build(List<Path> files, long bytes) {
            return new ExportReport(files, bytes, tensorsByFormat, formats, changes, notes);
        }
    }
}
