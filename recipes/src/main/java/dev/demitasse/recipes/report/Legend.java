package dev.demitasse.recipes.report;

/** What a colour stands for. */
final class Legend {
    private Legend() {}

    /** @param series the style sheet's name of the colour, {@code s1} */
    static Html entry(String series, String text) {
        return Html.element("span", "key")
                .around(Html.element("i", "swatch " + series).empty(), Html.text(text));
    }
}
