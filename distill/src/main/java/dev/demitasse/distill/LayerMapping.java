package dev.demitasse.distill;

/** Which layers belong together where a student has fewer than its teacher. */
final class LayerMapping {
    private LayerMapping() {}

    /**
     * Which of the teacher's hidden states (0 is the embedding) each of the student's 1 to {@code studentLayers} is compared
     * with: evenly spread, the last with the last (TinyBERT's uniform strategy, arXiv:1909.10351 §3.1). A student that
     * was cut at other places is still compared evenly.
     *
     * @return {@code [studentLayers]}: element i belongs to student state i + 1
     */
    static int[] hiddenStates(int studentLayers, int teacherLayers) {
        int[] states = new int[studentLayers];
        for (int i = 1; i <= studentLayers; i++) {
            states[i - 1] = Math.toIntExact(Math.round((double) i * teacherLayers / studentLayers));
        }
        return states;
    }

    /**
     * Which of a source's layers becomes each of a new model's: evenly spread from the first to the last, as DistilBERT was
     * started from every other layer of BERT (arXiv:1910.01108 §2).
     *
     * @return {@code [layers]}
     */
    static int[] layersToCopy(int layers, int sourceLayers) {
        int[] chosen = new int[layers];
        for (int i = 0; i < layers; i++) {
            chosen[i] = layers == 1 ? 0 : Math.toIntExact(Math.round((double) i * (sourceLayers - 1) / (layers - 1)));
        }
        return chosen;
    }
}
