package dev.demitasse.recipes.command;

import dev.demitasse.model.hub.HubSettings;
import dev.demitasse.recipes.run.ModelLocation;
import java.io.IOException;
import picocli.CommandLine.Option;

/** Where a command takes models from. */
final class ModelSource {
    @Option(names = "--offline", description = "Take hf: models from the cache only, as HF_HUB_OFFLINE=1 does.")
    private boolean offline;

    ModelLocation location() throws IOException {
        return new ModelLocation(HubSettings.of(System.getenv()).offline(offline), ProgressDisplay.onStandardError());
    }
}
