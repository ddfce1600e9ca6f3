/** Which specs read later positions or the row's length when they generate, so that rows must not be padded. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkSpec, stageGraphs } from "../../compiler/compile.ts";
import { readsAhead } from "../../compiler/passes/analyses/reads-ahead.ts";
import { diskHost, root } from "../support/check-text.ts";

const aheadIn = (file: string, text: string): boolean => {
  const { project } = checkSpec(file, text, diskHost);
  return [...project!.models.values()].some((model) => readsAhead(stageGraphs(model, []).logits));
};
const ahead = (path: string): boolean => {
  const file = join(root, path);
  return aheadIn(file, readFileSync(file, "utf8"));
};

it.each(["moby-dick", "sink-window/spec", "document/spec", "alibi/spec", "lm-infinite/spec"])(
  "%s looks back only",
  (name) => expect(ahead(`examples/${name}.lctx`)).toBe(false),
);

it.each(["prefix-lm/spec", "vertical-slash/spec", "seer-gate/spec", "longheads/spec"])(
  "%s may read later positions",
  (name) => expect(ahead(`examples/${name}.lctx`)).toBe(true),
);

it.each([
  ["mask k <= q and k < length - 4", true],
  ["mask k <= q and k < 4", false],
  ["mask k <= q   score = s - ordinal(q - k) / length", true],
  ["mask k <= q   score = s - ordinal(q - k) / 8", false],
])("`%s` reads the row's length: %s", (clauses, reads) => {
  const model = "model M = decoder { vocab 8   layers 1   heads 1   width 4   length 16   attention A() }";
  expect(aheadIn("a.lctx", `attention A() { ${clauses} }\n${model}\n`)).toBe(reads);
});
