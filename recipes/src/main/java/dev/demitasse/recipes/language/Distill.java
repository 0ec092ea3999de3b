package dev.demitasse.recipes.language;

import java.util.Optional;

/**
 * Teaches a student to answer as its teacher does.
 *
 * @param teacher {@link Recipe#MODEL} or a stage
 * @param student sizes of a new student, initialised from the teacher; empty where the stage's input is the student
 * @param loss weights of the parts of the loss
 * @param temperature that both distributions are softened by
 */
public record Distill(
        String teacher, Optional<Student> student, Loss loss, double temperature, TrainingSettings training)
        implements Work {

    /**
     * Sizes of a new student; what is left out is as the teacher's.
     */
    public record Student(
            Optional<Integer> hiddenSize,
            Optional<Integer> intermediateSize,
            Optional<Integer> layers,
            Optional<Integer> heads,
            Optional<Integer> keyValueHeads) {

        private static final Key<Integer> HIDDEN_SIZE =
                Key.optional("hidden_size", Kind.integer(1), "width of the residual stream; without it the teacher's");
        private static final Key<Integer> INTERMEDIATE_SIZE = Key.optional(
                "intermediate_size", Kind.integer(1), "feed-forward neurons of a layer; without it the teacher's");
        private static final Key<Integer> LAYERS =
                Key.optional("layers", Kind.integer(1), "decoder layers; without it the teacher's");
        private static final Key<Integer> HEADS =
                Key.optional("heads", Kind.integer(1), "query heads; without it the teacher's");
        private static final Key<Integer> KEY_VALUE_HEADS =
                Key.optional("kv_heads", Kind.integer(1), "key/value heads; without it the teacher's");

        static final Section SECTION = new Section(
                "distill.student",
                "Sizes of a new student, initialised from the teacher's layers.",
                HIDDEN_SIZE,
                INTERMEDIATE_SIZE,
                LAYERS,
                HEADS,
                KEY_VALUE_HEADS);

        static Student read(Fields fields) {
            return new Student(
                    fields.find(HIDDEN_SIZE),
                    fields.find(INTERMEDIATE_SIZE),
                    fields.find(LAYERS),
                    fields.find(HEADS),
                    fields.find(KEY_VALUE_HEADS));
        }
    }

    /**
     * Weights of the parts of the loss.
     *
     * @param kl Kullback–Leibler divergence from the teacher
     * @param ce cross-entropy with the text
     * @param hidden mean squared error of the hidden states
     */
    public record Loss(double kl, double ce, double hidden) {
        private static final Key<Double> KL =
                Key.of("kl", Kind.atLeast(0), "1.0", "weight of the divergence from the teacher");
        private static final Key<Double> CE =
                Key.of("ce", Kind.atLeast(0), "0.2", "weight of the cross-entropy with the text");
        private static final Key<Double> HIDDEN =
                Key.of("hidden", Kind.atLeast(0), "0.1", "weight of the hidden states' mean squared error");

        static final Section SECTION = new Section("distill.loss", "Weights of the parts of the loss.", KL, CE, HIDDEN);

        static Loss read(Fields fields) {
            Loss loss = new Loss(fields.get(KL), fields.get(CE), fields.get(HIDDEN));
            if (loss.kl == 0 && loss.ce == 0 && loss.hidden == 0) {
                fields.wrong("all weights are 0; at least one must be above");
            }
            return loss;
        }
    }

    static final Key<String> TEACHER =
            Key.of("teacher", Kind.TEXT, "model", "who is imitated: `model` or an earlier stage");
    static final Key<Node> STUDENT = Key.optional(
            "student", Kind.SECTION, "sizes of a new student; without it, what the stage starts from is the student");
    private static final Key<Node> LOSS = Key.optional("loss", Kind.SECTION, "weights of the parts of the loss");
    private static final Key<Double> TEMPERATURE =
            Key.of("temperature", Kind.above(0), "2.0", "softens both distributions before they are compared");

    static final Section SECTION = new Section(
                    "distill",
                    "Teaches a student to answer as its teacher does, on data.train.",
                    TEACHER,
                    STUDENT,
                    LOSS,
                    TEMPERATURE)
            .plus(TrainingSettings.KEYS);

    static Distill read(Fields fields) {
        return new Distill(
                fields.get(TEACHER),
                fields.has(STUDENT)
                        ? Optional.of(Student.read(fields.section(STUDENT, Student.SECTION)))
                        : Optional.empty(),
                Loss.read(fields.section(LOSS, Loss.SECTION)),
                fields.get(TEMPERATURE),
                TrainingSettings.read(fields));
    }

    @Override
    public String name() {
        return "distill";
    }
}
