/** Bounds of masks that ask sets: a rectangle is decided by its own rows and elements, exactly, and on the host of device text too. */
import { describe, expect, it } from "vitest";
import { cudaPairs } from "../../compiler/backends/cuda/attention/pairs.ts";
import { scalarPrelude } from "../../compiler/backends/cuda/scalar-prelude.ts";
import { exprEvaluator, noValues, type ExprValues } from "../../compiler/ir/evaluate-expr.ts";
import * as e from "../../compiler/ir/expr.ts";
import { axis } from "../../compiler/ir/graph-build.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { leaf } from "../conformance/support/random-specs.ts";
import { loadOnHost } from "./host-shim.ts";
import { floorDiv, h, k, q } from "../support/pair-cases.ts";
import { randomNumbers } from "../support/random-values.ts";

const [length, heads, words] = [70, 2, 2];
const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 30));
const next = randomNumbers(seed);
/** Rows with few members, all, or none, so that rectangles of every kind come up. */
const set = Int32Array.from({ length: length * heads * words }, () => {
  const kind = Math.floor(next() * 8);
  return kind < 5 ? 0 : kind === 5 ? -1 : 1 << Math.floor(next() * 32);
});
const buffer = {
  ...leaf("set", [axis("t", length), axis("h", heads), axis("w", words)]),
  dtype: "i32" as const,
};
const masks = {
  "members by row and head": e.member(0, [q, h], k),
  "blocks of keys": e.member(0, [q, h], floorDiv(k, 4)),
  "one row for a block of queries": e.member(0, [floorDiv(q, 8), h], k),
  "all heads of a row": e.member(0, [q, e.binary("mod", k, e.int(2))], e.sub(k, q)),
};

function valuesOf(at: Readonly<Record<string, number>>): ExprValues {
  return {
    ...noValues,
    index: (name) => at[name]!,
    size: () => length,
    // Rectangles may reach outside; rows are kept inside, as in kernels.
    load: (_, [row, head, word]) => {
      const inside = (x: number, n: number): number => Math.min(Math.max(x, 0), n - 1);
      return set[(inside(row!, length) * heads + inside(head!, heads)) * words + word!]!;
    },
    words: () => words,
  };
}

describe(`bounds of sets, LCTX_SEED=${seed}`, () => {
  const nodes = Object.entries(masks).map(([name, mask]) => {
    const sides = {
      query: leaf("query", [axis("b", 1), axis("t", length)]),
      key: leaf("key", [axis("b", 1), axis("y", length)]),
    };
    const core = {
      regions: [{ ...sides, when: e.bool(true), turn: null }],
      mask,
      buffers: [buffer],
      scale: 1,
    };
    return { name, mask, core, facts: blockFacts(core) };
  });
  const texts = nodes.map(
    ({ core, facts }, n) => `${cudaPairs({ ...core, score: e.logit }, facts, 0).functions.text}
extern "C" int run_${n}(int *set, int h, int q0, int q1, int k0, int k1) {
  lctx_pairs p = {};
  p.length = p.queries = p.keys = ${length}, p.table_0 = set;
  return lctx_all(p, 0, h, q0, q1, k0, k1) + 2 * lctx_any(p, 0, h, q0, q1, k0, k1);
}`,
  );
  const library = loadOnHost(scalarPrelude("accurate").text, texts);
  it.each(nodes.map((own, n) => ({ ...own, n })))("$name", ({ name, mask, facts, n }) => {
    const run = library?.func(`run_${n}`, "int", ["int *", "int", "int", "int", "int", "int"]);
    const [pair, all, any] = [mask, facts.mask.all, facts.mask.any].map(exprEvaluator);
    const seen = [0, 0, 0];
    for (let i = 0; i < 400; i++) {
      const [head, q0, k0] = [
        Math.floor(next() * heads),
        Math.floor(next() * length),
        Math.floor(next() * length),
      ];
      const [q1, k1] = [q0, k0].map((from) => Math.min(length - 1, from + Math.floor(next() ** 2 * 20))) as [
        number,
        number,
      ];
      let [every, some] = [true, false];
      for (let row = q0; row <= q1; row++)
        for (let key = k0; key <= k1; key++) {
          const held = pair!(valuesOf({ q: row, k: key, h: head })) !== 0;
          every &&= held;
          some ||= held;
        }
      const corners = valuesOf({ q0, q1, k0, k1, h: head });
      const found = { all: all!(corners) !== 0, any: any!(corners) !== 0 };
      if (name === "all heads of a row")
        expect([!found.all || every, found.any || !some]).toEqual([true, true]);
      else expect(found).toEqual({ all: every, any: some });
      if (run !== undefined)
        expect(run(set, head, q0, q1, k0, k1)).toBe(Number(found.all) + 2 * Number(found.any));
      seen[Number(found.all) + Number(found.any)]!++;
    }
    // Empty, mixed and full rectangles all came up.
    if (name !== "all heads of a row") expect(Math.min(...seen)).toBeGreaterThan(0);
  });
});
