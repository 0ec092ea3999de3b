package dev.demitasse.export.interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/**
 * llama.cpp, where {@code node} is installed and {@code -Dnode.llama.dir=FOLDER} names an npm project that has
 * node-llama-cpp ({@code npm install node-llama-cpp@3.22.1}); elsewhere the calling test is skipped, and says so.
 */
final class LlamaCpp {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path project;
    private final Path work;

    private LlamaCpp(Path project, Path work) {
        this.project = project;
        this.work = work;
    }

    /** The npm project; without one, or without node, the calling tests are skipped. */
    static Path requireProject() throws InterruptedException {
        Path project = Path.of(System.getProperty("node.llama.dir", "")).toAbsolutePath();
        boolean named = !System.getProperty("node.llama.dir", "").isEmpty();
        if (!named || !Files.isDirectory(project.resolve("node_modules/node-llama-cpp")) || !nodeRuns()) {
            String message =
                    "SKIPPED: llama.cpp was not asked. Install node, run `npm install node-llama-cpp@3.22.1` in a"
                            + " folder outside the repository, and pass -Dnode.llama.dir=THAT_FOLDER";
            System.err.println(message);
            Assumptions.abort(message);
        }
        return project;
    }

    /** @param work a folder for scratch files */
    static LlamaCpp in(Path project, Path work) {
        return new LlamaCpp(project, work);
    }

    private static boolean nodeRuns() throws InterruptedException {
        try {
            return new ProcessBuilder("node", "--version")
                            .redirectErrorStream(true)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** What llama.cpp answered. */
    record Answer(String release, List<int[]> tokens, double nll, int[] greedy) {}

    /**
     * @param windows whose tokens are scored, all but each first
     * @param prompt what greedy decoding continues by {@code newTokens} tokens
     */
    Answer ask(Path model, List<String> texts, List<int[]> windows, int[] prompt, int newTokens) throws Exception {
        Path script = work.resolve("llamacpp.mjs");
        try (InputStream resource =
                Objects.requireNonNull(LlamaCpp.class.getResourceAsStream("/interop/llamacpp.mjs"))) {
            Files.write(script, resource.readAllBytes());
        }
        Path request = work.resolve("request.json");
        JSON.writeValue(
                request.toFile(),
                Map.of(
                        "model",
                        model.toString(),
                        "texts",
                        texts,
                        "windows",
                        windows,
                        "prompt",
                        prompt,
                        "newTokens",
                        newTokens));
        Path output = work.resolve("answer.txt");
        Process process = new ProcessBuilder("node", script.toString(), project.toString(), request.toString())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = process.waitFor(120, TimeUnit.SECONDS);
        String text = new String(Files.readAllBytes(output), StandardCharsets.UTF_8);
        if (!ended || process.exitValue() != 0 || !text.contains("\nANSWER ")) {
            process.destroyForcibly();
            throw new AssertionError("llama.cpp failed on " + model + ":\n" + text);
        }
        JsonNode answer = JSON.readTree(text.substring(text.indexOf("\nANSWER ") + 8)
                .lines()
                .findFirst()
                .orElseThrow());
        return new Answer(
                answer.path("release").asText(),
                answer.path("tokens").valueStream().map(LlamaCpp::ints).toList(),
                answer.path("nll").asDouble(),
                ints(answer.path("greedy")));
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
