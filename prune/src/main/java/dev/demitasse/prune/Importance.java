package dev.demitasse.prune;

/** What tells the parts that stay from those that go. */
public enum Importance {
    /** How strongly a part responds to calibration text; see {@link ActivationImportance}. */
    ACTIVATION,
    /** How large its weights are; see {@link MagnitudeImportance}. Needs no text. */
    MAGNITUDE
}
