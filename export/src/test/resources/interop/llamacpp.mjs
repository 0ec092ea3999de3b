// Asks llama.cpp, as node-llama-cpp packages it, about a GGUF file.
// node llamacpp.mjs FOLDER REQUEST.json: FOLDER is an npm project with node-llama-cpp; the answer is JSON on standard output.
// Request:  {model, texts: [text], windows: [[id]], prompt: [id], newTokens}
// Answer:   {release, tokens: [[id]], nll: mean over windows of the nll of every token but each window's first, greedy: [id]}
import {readFileSync} from "node:fs";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const [folder, requestFile] = process.argv.slice(2);
const request = JSON.parse(readFileSync(requestFile, "utf8"));
const library = join(folder, "node_modules", "node-llama-cpp", "dist", "index.js");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(library));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath: request.model});
const longest = Math.max(64, request.prompt.length + request.newTokens, ...request.windows.map((window) => window.length));
const context = await model.createContext({contextSize: longest + 8, batchSize: longest + 8, threads: 1});
const sequence = context.getSequence();

let sum = 0;
let count = 0;
for (const window of request.windows) {
    await sequence.clearHistory();
    const input = window.slice(0, -1).map((id, index) => [
        id,
        {generateNext: {totalLogitWeight: true, logits: {filter: {tokens: [window[index + 1]], includeTop: 1}},
            options: {temperature: 1, topK: 0, topP: 1, minP: 0}}}
    ]);
    const output = await sequence.controlledEvaluate(input);
    output.forEach(({next}, index) => {
        const logits = [...next.logits.values()];
        sum += Math.log(next.totalLogitWeight) + Math.max(...logits) - next.logits.get(window[index + 1]);
        count++;
    });
}

await sequence.clearHistory();
const greedy = [];
if (request.newTokens > 0) {
    for await (const id of sequence.evaluate(request.prompt, {temperature: 0, yieldEogToken: true})) {
        greedy.push(id);
        if (greedy.length === request.newTokens)
            break;
    }
}

const answer = {
    release: llama.llamaCppRelease.release,
    tokens: request.texts.map((text) => [...model.tokenize(text, false)]),
    nll: count === 0 ? 0 : sum / count,
    greedy
};
process.stdout.write("\nANSWER " + JSON.stringify(answer) + "\n");
await llama.dispose();
