package dev.demitasse.model.tokenizer;

import dev.demitasse.model.tokenizer.TokenizerData.Merge;
import dev.demitasse.model.tokenizer.TokenizerData.TokenType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Two ways to say the order of merges: SentencePiece and GGUF score each token, tokenizer.json lists the merges.
 * Merges are made as transformers makes them ({@code convert_slow_tokenizer.generate_merges}).
 */
public final class SentencePieceMerges {
    private SentencePieceMerges() {}

    /** Every way to make a token of two others, best score first; of one token's ways the longest left part first. */
    public static List<Merge> of(List<String> tokens, List<TokenType> types, List<Double> scores) {
        Map<String, Integer> ids = new HashMap<>();
        for (int id = 0; id < tokens.size(); id++) {
            if (types.get(id) == TokenType.NORMAL || types.get(id) == TokenType.USER_DEFINED) {
                ids.putIfAbsent(tokens.get(id), id);
            }
        }
        List<Integer> order = new ArrayList<>(ids.values());
        order.sort(Comparator.<Integer>comparingDouble(id -> -scores.get(id)).thenComparing(id -> id));
        List<Merge> merges = new ArrayList<>();
        for (int id : order) {
            String token = tokens.get(id);
            for (int cut = token.length() - 1; cut > 0; cut--) {
                String left = token.substring(0, cut);
                String right = token.substring(cut);
                if (ids.containsKey(left) && ids.containsKey(right)) {
                    merges.add(new Merge(left, right));
                }
            }
        }
        return merges;
    }

    /** The earlier a token's first merge, the higher its score; tokens that no merge makes come last. */
    static List<Double> scores(List<String> tokens, List<TokenType> types, List<Merge> merges) {
        Map<String, Double> made = new HashMap<>();
        merges.forEach(merge -> made.putIfAbsent(merge.result(), (double) -made.size()));
        List<Double> scores = new ArrayList<>();
        int others = made.size();
        for (int id = 0; id < tokens.size(); id++) {
            if (types.get(id) != TokenType.NORMAL) {
                scores.add(0.0);
            } else if (made.containsKey(tokens.get(id))) {
                scores.add(made.get(tokens.get(id)));
            } else {
                scores.add((double) -others++);
            }
        }
        return scores;
    }
}
