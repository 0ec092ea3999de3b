package dev.demitasse.model.reference;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Small config.json files as transformers saves them, of every family and of their forms. */
public final class FamilyConfigs {
    private static final Map<String, String> TEXTS = texts();

    private FamilyConfigs() {}

    public static Stream<String> names() {
        return TEXTS.keySet().stream();
    }

    public static String text(String name) {
        return Optional.ofNullable(TEXTS.get(name)).orElseThrow();
    }

    private static Map<String, String> texts() {
        Map<String, String> texts = new LinkedHashMap<>();
        LlamaLikeConfigs.addTo(texts);
        encoders(texts);
        gpts(texts);
        texts.put("opt_350m", """
                {
                  "activation_function": "relu", "architectures": ["OPTForCausalLM"], "do_layer_norm_before": false,
                  "enable_bias": true, "ffn_dim": 64, "hidden_size": 32, "layer_norm_elementwise_affine": true,
                  "max_position_embeddings": 64, "model_type": "opt", "num_attention_heads": 4,
                  "num_hidden_layers": 2, "vocab_size": 40, "word_embed_proj_dim": 16,
                  "_remove_final_layer_norm": false
                }""");
        texts.put("opt_plain", """
                {
                  "activation_function": "gelu", "architectures": ["OPTForCausalLM"], "do_layer_norm_before": true,
                  "enable_bias": false, "ffn_dim": 64, "hidden_size": 32, "layer_norm_elementwise_affine": false,
                  "max_position_embeddings": 64, "model_type": "opt", "num_attention_heads": 4,
                  "num_hidden_layers": 2, "vocab_size": 40, "word_embed_proj_dim": 32,
                  "_remove_final_layer_norm": true
                }""");
        texts.put("bloom", """
                {
                  "architectures": ["BloomForCausalLM"], "layer_norm_epsilon": 1e-05, "model_type": "bloom",
                  "n_embed": 32, "n_layer": 2, "num_attention_heads": 4, "seq_length": 64, "vocab_size": 40
                }""");
        falcons(texts);
        mpts(texts);
        texts.put("openelm", """
                {
                  "activation_fn_name": "swish", "architectures": ["OpenELMForCausalLM"], "ffn_dim_divisor": 16,
                  "ffn_multipliers": [0.5, 2.25, 4.0], "ffn_with_glu": true, "head_dim": 8, "max_context_length": 64,
                  "model_dim": 64, "model_type": "openelm", "normalization_layer_name": "rms_norm",
                  "normalize_qk_projections": true, "num_gqa_groups": 2, "num_kv_heads": [2, 3, 4],
                  "num_query_heads": [4, 6, 8], "num_transformer_layers": 3, "qkv_multipliers": [0.5, 1.0],
                  "rope_freq_constant": 10000, "rope_max_length": 128, "share_input_output_layers": true,
                  "vocab_size": 40
                }""");
        return texts;
    }

    private static void encoders(Map<String, String> texts) {
        texts.put("bert", """
                {
                  "architectures": ["BertForMaskedLM"], "hidden_act": "gelu", "hidden_size": 32,
                  "intermediate_size": 64, "layer_norm_eps": 1e-12, "max_position_embeddings": 64,
                  "model_type": "bert", "num_attention_heads": 4, "num_hidden_layers": 2, "pad_token_id": 0,
                  "position_embedding_type": "absolute", "type_vocab_size": 2, "vocab_size": 40
                }""");
        texts.put("distilbert", """
                {
                  "activation": "gelu", "architectures": ["DistilBertForMaskedLM"], "dim": 32, "hidden_dim": 64,
                  "max_position_embeddings": 64, "model_type": "distilbert", "n_heads": 4, "n_layers": 2,
                  "pad_token_id": 0, "sinusoidal_pos_embds": false, "vocab_size": 40
                }""");
        texts.put("roberta", """
                {
                  "architectures": ["RobertaForMaskedLM"], "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "gelu",
                  "hidden_size": 32, "intermediate_size": 64, "layer_norm_eps": 1e-05, "max_position_embeddings": 66,
                  "model_type": "roberta", "num_attention_heads": 4, "num_hidden_layers": 2, "pad_token_id": 1,
                  "position_embedding_type": "absolute", "type_vocab_size": 1, "vocab_size": 40
                }""");
    }

    private static void gpts(Map<String, String> texts) {
        texts.put("gptj", """
                {
                  "activation_function": "gelu_new", "architectures": ["GPTJForCausalLM"], "layer_norm_epsilon": 1e-05,
                  "model_type": "gptj", "n_embd": 32, "n_head": 4, "n_inner": null, "n_layer": 2, "n_positions": 64,
                  "rotary_dim": 4, "tie_word_embeddings": false, "vocab_size": 40
                }""");
        texts.put("gpt_neox", """
                {
                  "architectures": ["GPTNeoXForCausalLM"], "hidden_act": "gelu", "hidden_size": 32,
                  "intermediate_size": 64, "layer_norm_eps": 1e-05, "max_position_embeddings": 64,
                  "model_type": "gpt_neox", "num_attention_heads": 4, "num_hidden_layers": 2, "rotary_pct": 0.5,
                  "tie_word_embeddings": false, "use_parallel_residual": true, "vocab_size": 40
                }""");
        texts.put("gpt2", """
                {
                  "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "layer_norm_epsilon": 1e-05,
                  "model_type": "gpt2", "n_embd": 32, "n_head": 4, "n_inner": 64, "n_layer": 2, "n_positions": 64,
                  "scale_attn_by_inverse_layer_idx": false, "scale_attn_weights": true, "vocab_size": 40
                }""");
        texts.put("gpt2_layer_scales", """
                {
                  "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "layer_norm_epsilon": 1e-05,
                  "model_type": "gpt2", "n_embd": 32, "n_head": 4, "n_inner": null, "n_layer": 3, "n_positions": 64,
                  "intermediate_size": 7, "scale_attn_by_inverse_layer_idx": true, "scale_attn_weights": true,
                  "vocab_size": 40
                }""");
        texts.put("gpt_bigcode", """
                {
                  "activation_function": "gelu_pytorch_tanh", "architectures": ["GPTBigCodeForCausalLM"],
                  "attention_softmax_in_fp32": true, "layer_norm_epsilon": 1e-05, "model_type": "gpt_bigcode",
                  "multi_query": true, "n_embd": 32, "n_head": 4, "n_inner": 64, "n_layer": 2, "n_positions": 64,
                  "scale_attention_softmax_in_fp32": true, "scale_attn_weights": true, "vocab_size": 40
                }""");
        texts.put("gpt_bigcode_multi_head", text("gpt_bigcode", texts).replace("query\": true", "query\": false"));
        texts.put("gpt_neo", """
                {
                  "activation_function": "gelu_new", "architectures": ["GPTNeoForCausalLM"],
                  "attention_layers": ["global", "local", "global", "local"],
                  "attention_types": [[["global", "local"], 2]], "hidden_size": 32, "intermediate_size": null,
                  "layer_norm_epsilon": 1e-05, "max_position_embeddings": 64, "model_type": "gpt_neo", "num_heads": 4,
                  "num_layers": 4, "vocab_size": 40, "window_size": 5
                }""");
    }

    private static void falcons(Map<String, String> texts) {
        texts.put("falcon_rw", """
                {
                  "activation": "gelu", "alibi": true, "architectures": ["FalconForCausalLM"], "bias": true,
                  "ffn_hidden_size": 128, "hidden_size": 32, "layer_norm_epsilon": 1e-05,
                  "max_position_embeddings": 64, "model_type": "falcon", "multi_query": false,
                  "new_decoder_architecture": false, "num_attention_heads": 4, "num_hidden_layers": 2,
                  "num_kv_heads": 4, "num_ln_in_parallel_attn": null, "parallel_attn": false,
                  "rope_theta": 10000.0, "vocab_size": 40
                }""");
        texts.put("falcon_one_norm", """
                {
                  "activation": "gelu", "alibi": false, "architectures": ["FalconForCausalLM"], "bias": false,
                  "ffn_hidden_size": 128, "hidden_size": 32, "layer_norm_epsilon": 1e-05,
                  "max_position_embeddings": 64, "model_type": "falcon", "multi_query": true,
                  "new_decoder_architecture": true, "num_attention_heads": 4, "num_hidden_layers": 2,
                  "num_kv_heads": 2, "num_ln_in_parallel_attn": 1, "parallel_attn": true,
                  "rope_theta": 500042.0, "tie_word_embeddings": false, "vocab_size": 40
                }""");
    }

    private static void mpts(Map<String, String> texts) {
        texts.put("mpt", """
                {
                  "architectures": ["MptForCausalLM"],
                  "attn_config": {"alibi": true, "alibi_bias_max": 6, "attn_type": "multihead_attention",
                      "clip_qkv": 3, "prefix_lm": false, "qk_ln": true, "softmax_scale": 0.25},
                  "d_model": 32, "expansion_ratio": 2, "layer_norm_epsilon": 1e-05, "learned_pos_emb": true,
                  "logit_scale": null, "max_seq_len": 64, "model_type": "mpt", "n_heads": 4, "n_layers": 2,
                  "no_bias": false, "norm_type": "low_precision_layernorm", "vocab_size": 40
                }""");
        texts.put("mpt_plain", """
                {
                  "architectures": ["MptForCausalLM"],
                  "attn_config": {"alibi": true, "alibi_bias_max": 8, "attn_type": "multihead_attention",
                      "clip_qkv": null, "prefix_lm": false, "qk_ln": false, "softmax_scale": null},
                  "d_model": 32, "expansion_ratio": 4, "layer_norm_epsilon": 1e-05, "learned_pos_emb": true,
                  "logit_scale": null, "max_seq_len": 64, "model_type": "mpt", "n_heads": 4, "n_layers": 2,
                  "no_bias": true, "norm_type": "low_precision_layernorm", "vocab_size": 40
                }""");
        texts.put("mpt_clipped", """
                {
                  "architectures": ["MptForCausalLM"], "attn_config": {"clip_qkv": 2}, "d_model": 48, "max_seq_len": 64,
                  "model_type": "mpt", "n_heads": 6, "n_layers": 2, "vocab_size": 40
                }""");
        texts.put("mpt_learned", """
                {
                  "architectures": ["MPTForCausalLM"], "attn_config": {"alibi": false}, "d_model": 32,
                  "max_seq_len": 64, "model_type": "mpt", "n_heads": 4, "n_layers": 2, "no_bias": false,
                  "vocab_size": 40
                }""");
        texts.put(
                "mpt_normed",
                text("mpt_learned", texts).replace("\"alibi\": false", "\"alibi\": true, \"qk_ln\": true"));
        texts.put("mpt_authors", """
                {
                  "architectures": ["MPTForCausalLM"],
                  "attn_config": {"alibi": false, "alibi_bias_max": 8, "attn_type": "multiquery_attention",
                      "clip_qkv": null, "prefix_lm": false, "qk_ln": true, "softmax_scale": null},
                  "d_model": 32, "expansion_ratio": 2, "learned_pos_emb": true, "logit_scale": "inv_sqrt_d_model",
                  "max_seq_len": 64, "model_type": "mpt", "n_heads": 4, "n_layers": 2, "no_bias": false,
                  "norm_type": "low_precision_layernorm", "vocab_size": 40
                }""");
    }

    private static String text(String name, Map<String, String> texts) {
        return Optional.ofNullable(texts.get(name)).orElseThrow();
    }
}
