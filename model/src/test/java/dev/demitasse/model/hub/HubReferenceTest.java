package dev.demitasse.model.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.demitasse.model.InvalidRequestException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names of models, and the environment variables that huggingface_hub documents. */
class HubReferenceTest {
    @TempDir
    private Path home;

    @Test
    void namesAndRevisions() {
        assertThat(HubReference.parse("hf:HuggingFaceTB/SmolLM2-135M"))
                .isEqualTo(new HubReference("HuggingFaceTB/SmolLM2-135M", "main"))
                .hasToString("hf:HuggingFaceTB/SmolLM2-135M");
        assertThat(HubReference.parse("hf:org/a.b_c@refs/pr/1"))
                .isEqualTo(new HubReference("org/a.b_c", "refs/pr/1"))
                .hasToString("hf:org/a.b_c@refs/pr/1");
        assertThat(HubReference.parse("hf:gpt2").repository()).isEqualTo("gpt2");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "hf:",
                "hf:/",
                "hf:a/",
                "hf:/b",
                "hf:a/b/c",
                "hf:../b",
                "hf:a/..",
                "hf:a--b/c",
                "hf:a/b@",
                "hf:a/b@../x",
                "hf:a/b@x/../y",
                "hf:a/b@/x",
                "hf:a b/c",
                "hf:a/b?c",
                "hf:a/b@x y",
                "hf:a/b@x%2f",
                "hf:a/b.git"
            })
    void impossibleNamesAreRefused(String written) {
        assertThatThrownBy(() -> HubReference.parse(written))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("hf:");
    }

    private HubSettings settings(Map<String, String> more) throws IOException {
        java.util.Map<String, String> all = new java.util.HashMap<>(more);
        all.put("HOME", home.toString());
        return HubSettings.of(all);
    }

    @Test
    void theCacheIsWherePythonHasIt() throws IOException {
        assertThat(settings(Map.of()).cache()).isEqualTo(home.resolve(".cache/huggingface/hub"));
        assertThat(settings(Map.of("XDG_CACHE_HOME", "/x")).cache()).isEqualTo(Path.of("/x/huggingface/hub"));
        assertThat(settings(Map.of("HF_HOME", "~/h")).cache()).isEqualTo(home.resolve("h/hub"));
        assertThat(settings(Map.of("HF_HOME", "/h", "HF_HUB_CACHE", "/c")).cache())
                .isEqualTo(Path.of("/c"));
        assertThat(settings(Map.of()).endpoint()).isEqualTo(URI.create("https://huggingface.co"));
        assertThat(settings(Map.of("HF_ENDPOINT", "http://localhost:9/m/")).endpoint())
                .isEqualTo(URI.create("http://localhost:9/m"));
        assertThat(settings(Map.of("HF_HUB_OFFLINE", "yes")).offline()).isTrue();
        assertThat(settings(Map.of("HF_HUB_OFFLINE", "0")).offline()).isFalse();
    }

    @Test
    void theTokenIsOfTheEnvironmentOrOfItsFile() throws IOException {
        assertThat(settings(Map.of()).token()).isEmpty();
        Files.createDirectories(home.resolve(".cache/huggingface"));
        Files.writeString(home.resolve(".cache/huggingface/token"), "from-file\n");
        assertThat(settings(Map.of()).token()).contains("from-file");
        assertThat(settings(Map.of("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")).token())
                .isEmpty();
        assertThat(settings(Map.of("HF_TOKEN", "given")).token()).contains("given");
        assertThat(settings(Map.of("HF_TOKEN", "given"))).asString().doesNotContain("given");
        assertThatThrownBy(() -> settings(Map.of("HF_TOKEN", "a\nb"))).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> settings(Map.of("HF_ENDPOINT", "nowhere")))
                .isInstanceOf(InvalidRequestException.class);
    }
}
