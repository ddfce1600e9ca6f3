/** Attentions of the language document with words exchanged, left out and added: mistakes are reported, nothing is thrown. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { termOrder } from "../../compiler/check/model/term-order.ts";
import { checkSpec } from "../../compiler/compile.ts";
import { verifyGraph } from "../../compiler/ir/verify-graph.ts";
import { modelToGraph } from "../../compiler/lower/model-to-graph.ts";
import { splitWeight } from "../../compiler/lower/split-weight.ts";
import { attentionOf } from "../methods/elaborated.ts";
import { diskHost, root } from "../support/check-text.ts";
import { randomNumbers } from "../support/random-values.ts";

const specs = readdirSync(join(root, "tests/fixtures/specs"))
  .filter((name) => name.endsWith(".lctx"))
  .map((name) => attentionOf(name.slice(0, -".lctx".length)).replace(/\/\/.*$/gm, ""));

const phases = ["training", "evaluation", "decoding"] as const;
const isWord = (token: string): boolean => /^\w+$/.test(token);
const isSpace = (token: string): boolean => /^\s+$/.test(token);

/** One or two words of an attention's text changed. */
function mutated(text: string, next: () => number): string {
  const at = text.indexOf("attention ");
  const tokens = text.slice(at).match(/\s+|\w+|[^\s\w]/g)!;
  const words = tokens.filter((token) => !isSpace(token));
  const pick = (of: readonly string[]): string => of[Math.floor(next() * of.length)]!;
  for (let left = next() < 0.5 ? 1 : 2; left > 0;) {
    const n = Math.floor(next() * tokens.length);
    const token = tokens[n]!;
    if (isSpace(token) || token === "") continue;
    const how = next();
    if (how < 0.25) tokens[n] = "";
    else if (how < 0.85) tokens[n] = pick(words.filter((word) => isWord(word) === isWord(token)));
    else tokens[n] = `${token} ${pick(words)}`;
    left--;
  }
  return text.slice(0, at) + tokens.join("");
}

/** Checks a text, and lowers what is neither wrong nor refused; the number of graphs that were made. */
function lowered(text: string): number {
  const name = /attention\s+(\w+)/.exec(text)?.[1] ?? "None";
  const model = `model Small = decoder { vocab 40  layers 1  heads 4  kv_heads 2  width 16  length 48  attention ${name}() }`;
  const { project, failed } = checkSpec("mutated.lctx", `${text}\n${model}\n`, diskHost);
  const small = failed || project === null ? undefined : project.models.get("Small");
  if (small === undefined) return 0;
  let graphs = 0;
  for (const phase of phases) {
    const refused = termOrder(small.output).some((term) => {
      if (term.kind !== "attention") return false;
      const { unsupported, weight } = term.instance.phases[phase];
      return unsupported.length > 0 || (weight !== null && splitWeight(weight.value).reason !== null);
    });
    if (refused) continue;
    verifyGraph(modelToGraph(small, { phase, output: "logits" }), phase);
    graphs++;
  }
  return graphs;
}

it("are checked, refused or lowered", () => {
  const next = randomNumbers(20);
  let graphs = 0;
  for (let n = 0; n < 300; n++) {
    const text = mutated(specs[n % specs.length]!, next);
    try {
      graphs += lowered(text);
    } catch (error) {
      throw new Error(`${text}\n${(error as Error).message}`, { cause: error });
    }
  }
  // Enough of them mean something: the test is not about syntax alone.
  expect(graphs).toBeGreaterThan(25);
});
