/** Attention of few queries, run on the host thread by thread: against the interpreter, paged against contiguous, any number of splits. */
import { describe, expect, it } from "vitest";
import { attentionDecodeCall, type DecodeOptions } from "../../compiler/backends/cuda/decode/decode-call.ts";
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { nodeOperands } from "../../compiler/ir/graph-operands.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import { blockFacts } from "../../compiler/passes/analyses/block-facts.ts";
import { refer, type Reference } from "../conformance/support/compare-specs.ts";
import { randomSpecs, type Spec } from "../conformance/support/random-specs.ts";
import { attentionTolerances, worst } from "../conformance/support/rule-1.ts";
import { shapeOf } from "../support/random-values.ts";
import { looser } from "./check-calls.ts";
import { compileForHost, type HostCall } from "./host-device.ts";
import { pack, round, unpack, type Packed } from "./sixteen-bits.ts";

const seed = Number(process.env["LCTX_SEED"] ?? Math.floor(Math.random() * 2 ** 30));
const count = Number(process.env["LCTX_CUDA_SPECS"] ?? 8);

const nameOf = (node: Node): string =>
  node.kind === "input" ? `input:${node.name}` : node.kind === "parameter" ? node.path : "";
const queriesOf = (spec: Spec): number => shapeOf(spec.attention.axes, spec.sizes)[1]!;

/**
 * Specs with at most 16 queries: half over more than 64 keys, so that splits beyond the first have some, a quarter over
 * fewer but at least three times as many as queries, and others.
 */
function fewQueries(n: number): Spec[] {
  const few = randomSpecs(300 * n, seed).filter((spec) => queriesOf(spec) <= 16);
  const kindOf = ({ sizes: { length } }: Spec, queries: number): number =>
    length > 64 ? 0 : length >= 3 * queries ? 1 : 2;
  return [n / 2, n / 4, n / 4].flatMap((share, kind) =>
    few.filter((spec) => kindOf(spec, queriesOf(spec)) === kind).slice(0, share),
  );
}

/** One spec in one way of keeping keys and values. */
interface Variant {
  readonly spec: Spec;
  readonly options: DecodeOptions;
}

/** Rows of keys or values of the batch in pages of a shuffled order; what no row fills is NaN. */
function intoPages(
  data: Packed,
  spec: Spec,
  page: number,
  nan: number,
): { readonly pages: Packed; readonly table: Int32Array } {
  const { batch, length } = spec.sizes;
  const columns = Math.ceil(length / page);
  const total = batch * columns + 1;
  const table = Int32Array.from({ length: batch * columns }, (_, i) => (i * 7 + 3) % total);
  const used = new Set<number>();
  table.forEach((at, i) => {
    let free = at;
    while (used.has(free)) free = (free + 1) % total;
    used.add(free);
    table[i] = free;
  });
  const row = data.length / (batch * length);
  const pages =
    data instanceof Float32Array
      ? new Float32Array(total * page * row).fill(NaN)
      : new Uint16Array(total * page * row).fill(nan);
  for (let b = 0; b < batch; b++)
    for (let k = 0; k < length; k++) {
      const at = table[b * columns + Math.floor(k / page)]! * page + (k % page);
      pages.set(data.subarray((b * length + k) * row, (b * length + k + 1) * row), at * row);
    }
  return { pages, table };
}

interface Results {
  readonly output: Packed;
  readonly lse: Float32Array;
}

function runOnHost(
  { spec, options }: Variant,
  element: AttentionElement,
  inputs: Reference["inputs"],
  call: HostCall,
): Results {
  const tables = new Set(spec.attention.buffers.map(nameOf));
  const value = (node: Node): Packed => {
    const { data } = inputs.get(nameOf(node))!;
    if (node.dtype === "i32") return Int32Array.from(data);
    return tables.has(nameOf(node)) ? Float32Array.from(data) : pack(element, data);
  };
  const sizes = {
    batch: spec.sizes.batch,
    length: spec.sizes.length,
    "query-length": queriesOf(spec),
    "query-start": spec.sizes["query-start"],
    step: 0,
    multiprocessors: 5,
  };
  const unwritten = pack(element, Float64Array.of(NaN));
  const regions = spec.attention.regions.length;
  let table: Int32Array | null = null;
  const operands = nodeOperands(spec.attention).map((node, n) => {
    const data = value(node);
    const cached = n === 2 * regions || (n < 2 * regions && n % 2 === 1);
    if (options.page === undefined || !cached) return data;
    const paged = intoPages(data, spec, options.page, unwritten[0]!);
    table = paged.table;
    return paged.pages;
  });
  const shape = shapeOf(spec.attention.axes, spec.sizes);
  const rows = shape[0]! * shape[1]! * shape[2]!;
  const output = pack(element, new Float64Array(rows * shape[3]!).fill(NaN));
  const lse = new Float32Array(rows).fill(NaN);
  call([...operands, ...(table === null ? [] : [table]), output, lse], sizes);
  return { output, lse };
}

const variantsOf = (spec: Spec, n: number): Variant[] => [
  { spec, options: {} },
  { spec, options: { page: 16 << (n % 3) } },
  { spec, options: { splits: 1 + (n % 7) } },
];

describe(`attention of few queries on the host: ${count} random specs an element, LCTX_SEED=${seed}`, () => {
  const specs = fewQueries(count);
  it("has specs of all kinds", () => {
    expect(specs.length).toBe(count);
    expect(specs.filter((spec) => spec.sizes.length > 64).length).toBe(count / 2);
  });
  it.each(["f32", "bf16", "f16"] as const)("%s (not run without g++)", { timeout: 240_000 }, (element) => {
    const variants = specs.flatMap(variantsOf);
    const compiled = compileForHost(
      variants.map(({ spec, options }) =>
        attentionDecodeCall(spec.attention, blockFacts(spec.attention), element, options),
      ),
    );
    if (compiled === null) return;
    const problems = specs.flatMap((spec, n) => {
      const { inputs, results } = refer(spec, (path, x) => (path.includes("table") ? x : round(element, x)));
      const tolerances = attentionTolerances(spec, (path) => inputs.get(path)!, results);
      const given = [0, 1, 2].map((v) =>
        runOnHost(variants[3 * n + v]!, element, inputs, compiled[3 * n + v]!),
      );
      const wrong = given.flatMap(({ output, lse }, v) =>
        [output, lse].flatMap((data, r) => {
          const error = worst(unpack(element, data), results[r]!.data, tolerances[r]!);
          const most = looser[element];
          return typeof error === "string" || !(error <= most)
            ? [`variant ${v} result ${r}: ${error} > ${most} | ${spec.name}`]
            : [];
        }),
      );
      const same = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
        Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
      const [plain, paged] = [given[0]!, given[1]!];
      if (!same(plain.output, paged.output) || !same(plain.lse, paged.lse))
        wrong.push(`paged differs from contiguous | ${spec.name}`);
      return wrong;
    });
    expect(problems).toEqual([]);
  });
});
