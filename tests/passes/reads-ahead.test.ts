/** Which specs read later positions when they generate, so that rows must not be padded. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkSpec, stageGraphs } from "../../compiler/compile.ts";
import { readsAhead } from "../../compiler/passes/analyses/reads-ahead.ts";
import { diskHost, root } from "../support/check-text.ts";

const ahead = (path: string): boolean => {
  const file = join(root, path);
  const { project } = checkSpec(file, readFileSync(file, "utf8"), diskHost);
  return [...project!.models.values()].some((model) => readsAhead(stageGraphs(model, []).logits));
};

it.each(["moby-dick", "sink-window/spec", "document/spec", "alibi/spec", "lm-infinite/spec"])(
  "%s looks back only",
  (name) => expect(ahead(`examples/${name}.lctx`)).toBe(false),
);

it.each(["prefix-lm/spec", "vertical-slash/spec", "seer-gate/spec", "longheads/spec"])(
  "%s may read later positions",
  (name) => expect(ahead(`examples/${name}.lctx`)).toBe(true),
);
