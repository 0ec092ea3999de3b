package dev.demitasse.recipes.plan;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.model.ModelConfig;

/** A plan as JSON. */
final class PlanJson {
    private static final ObjectMapper JSON = new ObjectMapper();

    private PlanJson() {}

    static String of(Plan plan) {
        ObjectNode root = JSON.createObjectNode();
        root.put("recipe", plan.recipe().name());
        plan.model().ifPresent(model -> {
            ObjectNode node = root.putObject("model");
            sizes(node, model.config());
            node.put("format", model.format()).put("bytes", model.bytes());
        });
        var stages = root.putArray("stages");
        for (PlannedStage stage : plan.stages()) {
            ObjectNode node = stages.addObject();
            node.put("id", stage.stage().id());
            stage.stage().from().ifPresent(from -> node.put("from", from));
            node.put("work", stage.stage().work().name()).put("description", stage.description());
            sizes(node, stage.config());
            node.put("format", stage.format()).put("bytes", stage.bytes()).put("memory", stage.memory());
            stage.tokens().ifPresent(tokens -> node.put("tokens", tokens));
            stage.notes().forEach(node.withArray("notes")::add);
        }
        root.put("bytes", plan.bytes()).put("memory", plan.memory());
        return root.toPrettyString();
    }

    private static void sizes(ObjectNode node, ModelConfig config) {
        node.put("parameters", config.parameters())
                .put("hidden_size", config.hiddenSize())
                .put("intermediate_size", config.feedForward().intermediateSize())
                .put("layers", config.layers())
                .put("heads", config.attention().heads())
                .put("kv_heads", config.attention().keyValueHeads())
                .put("vocabulary_size", config.vocabularySize());
    }
}
