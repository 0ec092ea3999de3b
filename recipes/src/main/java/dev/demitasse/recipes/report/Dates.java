package dev.demitasse.recipes.report;

import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Dates as people read them. */
final class Dates {
    private Dates() {}

    /** {@code 21 November 2026, 11:15 UTC}. */
    static String day(ZonedDateTime time) {
        ZonedDateTime named = time.getZone().equals(ZoneOffset.UTC) ? time.withZoneSameInstant(ZoneId.of("UTC")) : time;
        return DateTimeFormatter.ofPattern("d MMMM yyyy, HH:mm z", Locale.ENGLISH)
                .format(named);
    }
}
