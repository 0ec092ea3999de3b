package dev.demitasse.model.reference;

import java.util.Map;

/** Small config.json files of families near Llama, each with what sets the family apart. */
final class LlamaLikeConfigs {
    /** What all of them say alike. */
    private static final String SIZES = """
            "hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 64, "num_attention_heads": 4,
            "num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": 40\
            """;

    private LlamaLikeConfigs() {}

    static void addTo(Map<String, String> texts) {
        llamas(texts);
        qwens(texts);
        gemmas(texts);
        parallels(texts);
        scaled(texts);
    }

    private static void add(Map<String, String> texts, String name, String type, String architecture, String own) {
        texts.put(
                name,
                "{\"architectures\": [\"%s\"], \"model_type\": \"%s\", %s%s}"
                        .formatted(architecture, type, own.isEmpty() ? "" : own + ", ", SIZES));
    }

    private static void llamas(Map<String, String> texts) {
        add(texts, "llama", "llama", "LlamaForCausalLM", "\"tie_word_embeddings\": true, \"head_dim\": 8");
        add(texts, "llama_yarn", "llama", "LlamaForCausalLM", """
                "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}""");
        add(texts, "llama_dynamic", "llama", "LlamaForCausalLM", """
                "rope_scaling": {"rope_type": "dynamic", "factor": 2.0}""");
        add(texts, "mistral", "mistral", "MistralForCausalLM", "\"sliding_window\": 4, \"head_dim\": 8");
        add(texts, "mixtral", "mixtral", "MixtralForCausalLM", """
                "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": null""");
        add(texts, "mobilellm", "mobilellm", "MobileLLMForCausalLM", """
                "share_embedding": true, "layer_sharing": false""");
        add(texts, "internlm2", "internlm2", "InternLM2ForCausalLM", """
                "bias": true, "rope_scaling": {"type": "dynamic", "factor": 2.0}, "tie_word_embeddings": false""");
        add(texts, "olmo", "olmo", "OlmoForCausalLM", "\"clip_qkv\": 2.0, \"tie_word_embeddings\": false");
        add(texts, "olmo2", "olmo2", "Olmo2ForCausalLM", "\"tie_word_embeddings\": false");
        add(texts, "olmoe", "olmoe", "OlmoeForCausalLM", """
                "clip_qkv": 3.0, "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": false""");
        add(texts, "starcoder2", "starcoder2", "Starcoder2ForCausalLM", "\"sliding_window\": 8, \"use_bias\": true");
        add(texts, "phi3", "phi3", "Phi3ForCausalLM", """
                "sliding_window": 8, "original_max_position_embeddings": 64, "partial_rotary_factor": 0.5,
                "rope_scaling": null, "tie_word_embeddings": false""");
    }

    private static void qwens(Map<String, String> texts) {
        add(texts, "qwen2", "qwen2", "Qwen2ForCausalLM", """
                "use_sliding_window": true, "sliding_window": 4, "max_window_layers": 1, "tie_word_embeddings": true""");
        add(texts, "qwen2_moe", "qwen2_moe", "Qwen2MoeForCausalLM", """
                "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "decoder_sparse_step": 1,
                "shared_expert_intermediate_size": 32, "norm_topk_prob": false""");
        add(texts, "qwen3", "qwen3", "Qwen3ForCausalLM", "\"head_dim\": 16, \"tie_word_embeddings\": true");
        add(texts, "qwen3_moe", "qwen3_moe", "Qwen3MoeForCausalLM", """
                "head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
                "norm_topk_prob": true""");
    }

    private static void gemmas(Map<String, String> texts) {
        add(texts, "gemma", "gemma", "GemmaForCausalLM", "\"head_dim\": 16");
        add(texts, "gemma2", "gemma2", "Gemma2ForCausalLM", """
                "head_dim": 16, "query_pre_attn_scalar": 12, "sliding_window": 4, "attn_logit_softcapping": 5.0,
                "final_logit_softcapping": 3.0""");
        add(texts, "gemma3_text", "gemma3_text", "Gemma3ForCausalLM", """
                "head_dim": 16, "query_pre_attn_scalar": 12, "sliding_window": 4, "sliding_window_pattern": 2,
                "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0""");
    }

    private static void parallels(Map<String, String> texts) {
        add(texts, "phi", "phi", "PhiForCausalLM", """
                "partial_rotary_factor": 0.5, "qk_layernorm": true, "tie_word_embeddings": false""");
        add(texts, "stablelm", "stablelm", "StableLmForCausalLM", """
                "partial_rotary_factor": 0.25, "use_qkv_bias": true, "tie_word_embeddings": false""");
        add(texts, "stablelm_2", "stablelm", "StableLmForCausalLM", """
                "partial_rotary_factor": 0.25, "qk_layernorm": true, "use_parallel_residual": true,
                "tie_word_embeddings": false""");
        add(texts, "cohere", "cohere", "CohereForCausalLM", "\"logit_scale\": 0.25, \"use_qk_norm\": false");
        add(texts, "cohere_plus", "cohere", "CohereForCausalLM", "\"logit_scale\": 0.25, \"use_qk_norm\": true");
    }

    private static void scaled(Map<String, String> texts) {
        add(texts, "granite", "granite", "GraniteForCausalLM", """
                "attention_multiplier": 0.25, "embedding_multiplier": 3.0, "residual_multiplier": 0.22,
                "logits_scaling": 3.0""");
        add(texts, "minicpm", "minicpm", "MiniCPMForCausalLM", """
                "scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 16""");
    }
}
