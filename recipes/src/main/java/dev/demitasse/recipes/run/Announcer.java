package dev.demitasse.recipes.run;

/** Told what a run does, in words for a person. */
public interface Announcer {
    void say(String line);
}
