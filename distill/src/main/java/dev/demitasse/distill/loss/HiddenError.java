package dev.demitasse.distill.loss;

import ai.djl.ndarray.NDArray;

/** Mean squared difference between a student's and a teacher's hidden states (Jiao et al., TinyBERT, arXiv:1909.10351, eq. 8). */
public final class HiddenError {
    private HiddenError() {}

    /** Mean over all elements of two arrays of one shape. */
    public static NDArray of(NDArray student, NDArray teacher) {
        return student.sub(teacher).square().mean();
    }

    /**
     * The same with the student's states brought to the teacher's width by a learned map.
     *
     * @param student {@code [..., studentWidth]}
     * @param teacher {@code [..., teacherWidth]}
     * @param projection {@code [teacherWidth, studentWidth]}
     * @param bias {@code [teacherWidth]}
     */
    public static NDArray of(NDArray student, NDArray teacher, NDArray projection, NDArray bias) {
        return of(student.getNDArrayInternal().linear(student, projection, bias).head(), teacher);
    }
}
