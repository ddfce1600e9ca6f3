/** Device functions of attention pairs against the evaluator of expressions, pair by pair and block by block, on the host. */
import { describe, expect, it } from "vitest";
import { cudaPairs } from "../../compiler/backends/cuda/attention/pairs.ts";
import { scalarPrelude } from "../../compiler/backends/cuda/scalar-prelude.ts";
import { exprEvaluator, noValues, type ExprValues } from "../../compiler/ir/evaluate-expr.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { randomSpecs, type Spec } from "../conformance/support/random-specs.ts";
import { randomInputs } from "../support/random-values.ts";
import { loadOnHost } from "./host-shim.ts";

const count = 60;
/** Rows and keys of the blocks that ranges count in. */
const blocks = [1, 4, 16, 64] as const;
const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 30));

interface Case {
  readonly spec: Spec;
  readonly text: string;
  readonly queries: number;
  readonly length: number;
  readonly start: number;
  readonly heads: number;
  readonly loads: number;
  /** The region whose pairs alone are seen; null: those of all. */
  readonly part: number | null;
}

/** What the wrapper writes for each pair, then for each pair of blocks. */
const perPair = (loads: number): number => 4 + 2 * loads;
const perRectangle = 5;

function makeCase({ spec, part }: Pick<Case, "spec" | "part">, n: number): Case {
  const node = spec.gradient;
  const pairs = cudaPairs(node, blockFacts(node), 0, part !== null);
  const loads = pairs.trained.reduce((sum, own) => sum + own.loads.length, 0);
  const { length, "query-start": start } = spec.sizes;
  const queries = length - start;
  const heads = (node.regions[0]!.query.axes[2]!.size as { readonly value: number }).value;
  let pointer = 0;
  const fields = pairs.arguments.map((argument) => {
    if (argument.kind === "pointer")
      return `p.table_${argument.buffer} = (decltype(p.table_${argument.buffer}))tables[${pointer++}];`;
    return "";
  });
  const extents = node.buffers.flatMap((buffer, table) =>
    (buffer.axes[0]?.name === "b" ? buffer.axes.slice(1) : buffer.axes).map((axis, at) =>
      axis.size.kind === "fixed" ? "" : `p.extent_${table}_${at} = length;`,
    ),
  );
  const places = Array.from(
    { length: loads },
    (_, i) => `*out++ = lctx_place_${i}(p, b, h, q, k); *out++ = lctx_place_slope_${i}(p, s, b, h, q, k);`,
  );
  const text = `${pairs.functions.text}
extern "C" void run_${n}(void **tables, int length, int queries, int start, int heads, int batch, int block, float s, double *out) {
  lctx_pairs p = {};
  p.batch = batch, p.length = length, p.queries = queries, p.start = start, p.keys = length;
  ${fields.join(" ")} ${extents.join(" ")} ${part === null ? "" : `p.region = ${part};`}
  const int b = batch - 1;
  for (int h = 0; h < heads; h++)
    for (int q = start; q < start + queries; q++)
      for (int k = 0; k < length; k++) {
        *out++ = lctx_see(p, b, h, q, k), *out++ = lctx_score(p, s, b, h, q, k), *out++ = lctx_slope(p, s, b, h, q, k);
        *out++ = lctx_region(p, b, h, q, k);
        ${places.join("\n        ")}
      }
  for (int h = 0; h < heads; h++)
    for (int q0 = 0; q0 < queries; q0 += block)
      for (int k0 = 0; k0 < length; k0 += block) {
        const int q1 = min(q0 + block, queries) - 1, k1 = min(k0 + block, length) - 1;
        *out++ = lctx_all(p, b, h, q0 + start, q1 + start, k0, k1), *out++ = lctx_any(p, b, h, q0 + start, q1 + start, k0, k1);
        *out++ = ${part === null ? "lctx_block_region(p, b, h, q0 + start, q1 + start, k0, k1)" : "-1"};
        const lctx_ranges keys = lctx_key_ranges(p, b, h, q0 + start, q1 + start, block);
        const lctx_ranges rows = lctx_query_ranges(p, b, h, k0, k1, block);
        *out++ = lctx_next_block(keys, k0 / block) == k0 / block && lctx_previous_block(keys, k0 / block) == k0 / block;
        *out++ = lctx_next_block(rows, q0 / block) == q0 / block && lctx_previous_block(rows, q0 / block) == q0 / block;
      }
}
`;
  return { spec, text, queries, length, start, heads, loads, part };
}

function compare(of: Case, run: (...values: unknown[]) => void): void {
  const { spec, length, queries, start, heads, loads, part } = of;
  const node = spec.gradient;
  const graph = { nodes: [...node.buffers], outputs: new Map() };
  const inputs = randomInputs(graph, spec.sizes, spec.seed, { single: true });
  const tables = node.buffers.map((buffer) => {
    const name =
      buffer.kind === "input" ? `input:${buffer.name}` : buffer.kind === "parameter" ? buffer.path : "";
    const { data } = inputs.get(name)!;
    return { data, typed: buffer.dtype === "f32" ? Float32Array.from(data) : Int32Array.from(data), buffer };
  });
  const batch = spec.sizes.batch;
  const s = Math.fround(0.75);
  const pointers = tables.map(({ typed }) => typed);
  const [see, score, slope] = [node.mask, node.score, node.scoreSlope].map(exprEvaluator);
  const whens = node.regions.map(({ when }) => exprEvaluator(when));
  const places = node.bufferGradients.flatMap(({ buffer, loads: own }) =>
    own.map((load) => ({
      buffer,
      indices: load.indices.map(exprEvaluator),
      slope: exprEvaluator(load.slope),
    })),
  );
  const values = (q: number, k: number, h: number): ExprValues => ({
    ...noValues,
    index: (name) => (name === "q" ? q : name === "k" ? k : h),
    size: (name) =>
      name === "length" ? length : name === "query-length" ? queries : name === "query-start" ? start : batch,
    logit: () => s,
    load: (n, at) => {
      const { buffer, data } = tables[n]!;
      const batched = buffer.axes[0]?.name === "b";
      const extents = (batched ? buffer.axes.slice(1) : buffer.axes).map((axis) =>
        axis.size.kind === "fixed" ? axis.size.value : length,
      );
      const flat = at.reduce((sum, index, d) => sum * extents[d]! + index, 0);
      const row = batched ? (batch - 1) * extents.reduce((a, x) => a * x, 1) : 0;
      return data[row + flat]!;
    },
  });
  for (const block of blocks) {
    const rectangles = heads * Math.ceil(queries / block) * Math.ceil(length / block);
    const out = new Float64Array(heads * queries * length * perPair(loads) + rectangles * perRectangle);
    run(pointers, length, queries, start, heads, batch, block, s, out);
    let at = 0;
    const seen = new Uint8Array(heads * queries * length);
    const regionOf = new Uint8Array(seen.length);
    const fail = (what: string, q: number, k: number, h: number, found: unknown): void =>
      expect({ what, spec: spec.name, q, k, h, block, found }).toBe("equal");
    for (let h = 0; h < heads; h++)
      for (let q = start; q < start + queries; q++)
        for (let k = 0; k < length; k++) {
          const leaves = values(q, k, h);
          const cell = (h * queries + q - start) * length + k;
          regionOf[cell] = whens.findIndex((when) => when(leaves) !== 0);
          seen[cell] = part === null || part === regionOf[cell] ? see!(leaves) : 0;
          if (out[at++] !== seen[cell]) fail("see", q, k, h, out[at - 1]);
          for (const expected of [score!, slope!]) {
            const found = out[at++]!;
            const wanted = seen[cell] ? expected(leaves) : found;
            if (!(Math.abs(found - wanted) <= 2e-5 * Math.max(1, Math.abs(wanted))))
              fail("score", q, k, h, [found, wanted]);
          }
          if (out[at++] !== regionOf[cell]) fail("region", q, k, h, out[at - 1]);
          for (const place of places) {
            const [flat, own] = [out[at++]!, out[at++]!];
            if (!seen[cell]) continue;
            const { buffer } = tables[place.buffer]!;
            const wanted = place.indices.reduce(
              (sum, index, d) =>
                sum * (buffer.axes[d]!.size as { readonly value: number }).value + index(leaves),
              0,
            );
            if (flat !== wanted) fail("place", q, k, h, [flat, wanted]);
            const wantedSlope = place.slope(leaves);
            if (!(Math.abs(own - wantedSlope) <= 2e-5 * Math.max(1, Math.abs(wantedSlope))))
              fail("place slope", q, k, h, [own, wantedSlope]);
          }
        }
    for (let h = 0; h < heads; h++)
      for (let q0 = 0; q0 < queries; q0 += block)
        for (let k0 = 0; k0 < length; k0 += block) {
          let [every, some] = [true, false];
          const regions = new Set<number>();
          for (let q = q0; q < Math.min(q0 + block, queries); q++)
            for (let k = k0; k < Math.min(k0 + block, length); k++) {
              const cell = (h * queries + q) * length + k;
              every &&= seen[cell] !== 0;
              some ||= seen[cell] !== 0;
              regions.add(regionOf[cell]!);
            }
          const [all, any, region, keys, rows] = [out[at++]!, out[at++]!, out[at++]!, out[at++]!, out[at++]!];
          if (all && !every) fail("all", q0, k0, h, all);
          if (some && !any) fail("any", q0, k0, h, any);
          if (region >= 0 && (regions.size > 1 || !regions.has(region)))
            fail("block region", q0, k0, h, region);
          if (some && !keys) fail("key ranges", q0, k0, h, keys);
          if (some && !rows) fail("query ranges", q0, k0, h, rows);
        }
    expect(at).toBe(out.length);
  }
}

describe(`device functions of pairs, LCTX_SEED=${seed}`, () => {
  const specs = randomSpecs(count, seed).filter((spec) => spec.sizes.length <= 80);
  const cases = specs
    .flatMap((spec) => {
      const { regions } = spec.attention;
      return [null, ...(regions.length > 1 ? regions.keys() : [])].map((part) => ({ spec, part }));
    })
    .map(makeCase);
  const library = loadOnHost(
    scalarPrelude("accurate").text,
    cases.map(({ text }) => text),
  );
  it.skipIf(library === null)(`equal the evaluator on ${count} specs (not run without g++)`, () => {
    cases.forEach((of, n) => {
      const call = library!.func(`run_${n}`, "void", [
        "void **",
        "int",
        "int",
        "int",
        "int",
        "int",
        "int",
        "float",
        "double *",
      ]);
      compare(of, call as (...values: unknown[]) => void);
    });
  });
});
