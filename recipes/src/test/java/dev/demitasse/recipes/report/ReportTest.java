package dev.demitasse.recipes.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.demitasse.recipes.report.ReportData.Model;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class ReportTest {
    private static final String HTML = HtmlReport.render(Example.full());
    private static final String MARKDOWN = MarkdownReport.render(Example.full());

    /** What the page renders is XML as well, so an XML parser can say what is in it. */
    private static Document parse(String html) throws Exception {
        DocumentBuilder builder = DocumentBuilderFactory.newInstance().newDocumentBuilder();
        return builder.parse(new InputSource(new StringReader(html)));
    }

    private static List<Element> elements(Document page, String name) {
        NodeList nodes = page.getElementsByTagName(name);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < nodes.getLength(); i++) {
            elements.add((Element) nodes.item(i));
        }
        return elements;
    }

    private static List<Element> ofClass(Document page, String name, String cssClass) {
        return elements(page, name).stream()
                .filter(element -> element.getAttribute("class").equals(cssClass))
                .toList();
    }

    @Test
    void theFirstThingSaidIsWhatItCameTo() throws Exception {
        Document page = parse(HTML);
        assertThat(elements(page, "h1"))
                .singleElement()
                .extracting(Element::getTextContent)
                .isEqualTo("5.24 MB → 1.02 MB");
        assertThat(ofClass(page, "p", "lead"))
                .singleElement()
                .extracting(Element::getTextContent)
                .isEqualTo("5.1× smaller, perplexity 4.098 → 4.512 (+10.1 %), writes 2.5× as fast");
    }

    @Test
    void everyModelHasARowWithAllItsFigures() throws Exception {
        List<Model> models = Example.full().models();
        List<Element> names = ofClass(parse(HTML), "th", "model");
        assertThat(names).hasSameSizeAs(models);
        for (int i = 0; i < models.size(); i++) {
            assertThat(names.get(i).getTextContent())
                    .contains(models.get(i).label())
                    .contains(models.get(i).runtime());
            Element row = (Element) names.get(i).getParentNode();
            for (Column column : Column.ALL) {
                assertThat(row.getTextContent()).contains(column.of(models.get(i)));
            }
        }
        assertThat(MARKDOWN.lines().filter(line -> line.startsWith("| ") && line.contains("ONNX")))
                .hasSizeGreaterThanOrEqualTo(2);
        models.forEach(model -> assertThat(MARKDOWN)
                .contains(Markdown.escape(model.label()))
                .contains(Figures.number(model.quality().perplexity())));
    }

    @Test
    void whatWasNotMeasuredIsADash() throws Exception {
        Element row = (Element) ofClass(parse(HTML), "th", "model").getLast().getParentNode();
        NodeList cells = row.getElementsByTagName("td");
        assertThat(cells.item(6).getTextContent()).isEqualTo("–");
        assertThat(cells.item(12).getTextContent()).isEqualTo("–");
        assertThat(HTML).doesNotContain("NaN").doesNotContain("–×").doesNotContain("null");
        assertThat(MARKDOWN).doesNotContain("NaN").doesNotContain("null");
    }

    @Test
    void thePageNeedsNothingBesideIt() {
        assertThat(HTML)
                .doesNotContain("http:")
                .doesNotContain("https:")
                .doesNotContain("url(")
                .doesNotContain("@import")
                .doesNotContain("<link")
                .doesNotContain("src=")
                .doesNotContain("<script");
    }

    @Test
    void whatAModelWroteStaysText() throws Exception {
        Document page = parse(HTML);
        assertThat(ofClass(page, "p", "written").getLast().getTextContent())
                .isEqualTo("One morning, a little fox" + Example.NASTY.replace('\u0007', '\ufffd'));
        assertThat(elements(page, "script")).isEmpty();
        assertThat(MARKDOWN).contains("```text\n" + Example.NASTY);
        assertThat(Html.escape("\ud800<&\"'>")).isEqualTo("\ufffd&lt;&amp;&quot;&#39;&gt;");
        assertThat(Markdown.escape("a|b\n<i>*x*")).isEqualTo("a\\|b &lt;i&gt;\\*x\\*");
        assertThat(Markdown.block("````")).startsWith("`````text\n````\n`````\n");
    }

    @Test
    void everySectionIsThere() throws Exception {
        List<String> titles = elements(parse(HTML), "h2").stream()
                .map(Element::getTextContent)
                .toList();
        assertThat(titles)
                .containsExactly(
                        "Before and after",
                        "How it went",
                        "Gates",
                        "Exports against their source",
                        "In their own words",
                        "Time",
                        "How it was measured");
        assertThat(elements(parse(HTML), "svg")).hasSize(5);
        assertThat(HTML)
                .contains("1 of 2 gates failed")
                .contains("3.mlp.down_proj 0.091")
                .contains("3.1e−5");
        assertThat(MARKDOWN)
                .contains("✗ **failed**")
                .contains("3.mlp.down\\_proj 0.091")
                .contains("1 min 36 s");
    }

    @Test
    void aRunWithoutResultsStillHasAReport() throws Exception {
        Document page = parse(HtmlReport.render(Example.empty()));
        assertThat(elements(page, "h1"))
                .singleElement()
                .extracting(Element::getTextContent)
                .isEqualTo("bare");
        assertThat(elements(page, "table")).isEmpty();
        assertThat(MarkdownReport.render(Example.empty())).startsWith("# bare\n");
    }

    @Test
    void bothFilesAreWritten(@TempDir Path folder) throws IOException {
        Report.write(Example.full(), folder);
        assertThat(Files.readString(folder.resolve("report.html"))).isEqualTo(HTML);
        assertThat(Files.readString(folder.resolve("report.md"))).isEqualTo(MARKDOWN);
        assertThat(Files.size(folder.resolve("report.html"))).isLessThan(100_000);
    }
}
