package dev.demitasse.model;

/** Where families with experts have them; in GGUF all have them in the same places. */
final class ExpertNames {
    private ExpertNames() {}

    /**
     * Adds router and experts.
     *
     * @param router the router's name in Hugging Face files
     * @param experts what the names of an expert's matrices begin with, {@code {e}} its number
     * @param gate name of gate, then of up and down
     */
    static TensorNames add(TensorNames names, String router, String experts, String gate, String up, String down) {
        return names.module(Role.ROUTER, router, "blk.{i}.ffn_gate_inp")
                .huggingFace(Role.EXPERT_GATE, Place.own(experts + "." + gate))
                .huggingFace(Role.EXPERT_UP, Place.own(experts + "." + up))
                .huggingFace(Role.EXPERT_DOWN, Place.own(experts + "." + down))
                .gguf(Role.EXPERT_GATE, new Place.Stacked("blk.{i}.ffn_gate_exps"))
                .gguf(Role.EXPERT_UP, new Place.Stacked("blk.{i}.ffn_up_exps"))
                .gguf(Role.EXPERT_DOWN, new Place.Stacked("blk.{i}.ffn_down_exps"));
    }

    /** As {@link #add}, with the names of Qwen and OLMoE. */
    static TensorNames addUsual(TensorNames names) {
        return add(
                names,
                "model.layers.{i}.mlp.gate",
                "model.layers.{i}.mlp.experts.{e}",
                "gate_proj",
                "up_proj",
                "down_proj");
    }
}
