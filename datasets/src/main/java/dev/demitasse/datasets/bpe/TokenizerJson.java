package dev.demitasse.datasets.bpe;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.demitasse.datasets.bpe.Merges.Pair;
import java.util.List;

/** A tokenizer.json as Hugging Face's tokenizers 0.20 writes it, for byte-level BPE. */
final class TokenizerJson {
    private static final ObjectMapper JSON = new ObjectMapper();

    private TokenizerJson() {}

    /**
     * @param tokens by id; 0 begins a text, 1 ends one
     * @param merges in the order learned
     */
    static String write(List<String> tokens, List<Pair> merges) {
        ObjectNode root = JSON.createObjectNode();
        root.put("version", "1.0").putNull("truncation").putNull("padding");
        ArrayNode added = root.putArray("added_tokens");
        for (int id = 0; id < 2; id++) {
            added.addObject()
                    .put("id", id)
                    .put("content", tokens.get(id))
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", false)
                    .put("special", true);
        }
        root.putNull("normalizer");
        byteLevel(root.putObject("pre_tokenizer"));
        template(root.putObject("post_processor"), tokens.getFirst());
        byteLevel(root.putObject("decoder"));
        model(root.putObject("model"), tokens, merges);
        return root.toPrettyString();
    }

    private static void byteLevel(ObjectNode node) {
        node.put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", true);
    }

    /** The begin token, then the text: for one text and for two. */
    private static void template(ObjectNode node, String begin) {
        node.put("type", "TemplateProcessing");
        ArrayNode single = node.putArray("single");
        special(single, begin, 0);
        sequence(single, "A", 0);
        ArrayNode pair = node.putArray("pair");
        special(pair, begin, 0);
        sequence(pair, "A", 0);
        special(pair, begin, 1);
        sequence(pair, "B", 1);
        ObjectNode token = node.putObject("special_tokens").putObject(begin);
        token.put("id", begin);
        token.putArray("ids").add(0);
        token.putArray("tokens").add(begin);
    }

    private static void special(ArrayNode template, String token, int type) {
        template.addObject().putObject("SpecialToken").put("id", token).put("type_id", type);
    }

    private static void sequence(ArrayNode template, String name, int type) {
        template.addObject().putObject("Sequence").put("id", name).put("type_id", type);
    }

    private static void model(ObjectNode node, List<String> tokens, List<Pair> merges) {
        node.put("type", "BPE")
                .putNull("dropout")
                .putNull("unk_token")
                .putNull("continuing_subword_prefix")
                .putNull("end_of_word_suffix")
                .put("fuse_unk", false)
                .put("byte_fallback", false)
                .put("ignore_merges", false);
        ObjectNode vocabulary = node.putObject("vocab");
        for (int id = 0; id < tokens.size(); id++) {
            vocabulary.put(tokens.get(id), id);
        }
        // As text, which every version of the library reads: no byte's character is a space.
        ArrayNode list = node.putArray("merges");
        merges.forEach(pair -> list.add(tokens.get(pair.left()) + " " + tokens.get(pair.right())));
    }
}
