/** What the routed bench looks at in its results: which tiles hold chosen pairs, and whether choices and rows are right. */
import { evaluateLaunchSize } from "../../runtime/device/cuda/launch.ts";
import { axisExtent } from "../../compiler/ir/axis-extent.ts";
import { exprEvaluator, noValues } from "../../compiler/ir/evaluate-expr.ts";
import type { NodeOf } from "../../compiler/ir/graph-operands.ts";
import type { AttentionNode, Graph } from "../../compiler/ir/graph.ts";
import type { CudaDevice } from "../../runtime/device/cuda/device.ts";
import type { CudaMemory } from "../../runtime/device/cuda/memory.ts";
import { unpack } from "../../tests/cuda/sixteen-bits.ts";
import { short } from "../report.ts";
import type { DeviceChain } from "./chain/device-chain.ts";

const selectsOf = (graph: Graph): readonly NodeOf<"select">[] =>
  graph.nodes.filter((node): node is NodeOf<"select"> => node.kind === "select");

function words(device: CudaDevice, memory: CudaMemory): Int32Array {
  const data = new Int32Array(memory.byteLength / 4);
  device.download(memory, data);
  return data;
}

const has = (set: Int32Array, row: number, count: number, element: number): boolean =>
  ((set[row * count + (element >> 5)]! >>> (element & 31)) & 1) === 1;

interface Of {
  readonly heads: number;
  readonly length: number;
  /** Positions of the spec's blocks; 1 for columns and diagonals. */
  readonly block: number;
}

const tile = 128;

/** Shares of the causal pairs of tiles of 128, and of the spec's own blocks where it has any. */
export function keptTiles(
  device: CudaDevice,
  chain: DeviceChain,
  graph: Graph,
  { heads, length, block }: Of,
): { readonly kept_tiles: number; readonly kept?: number } {
  const sets = selectsOf(graph).map((node) => words(device, chain.memory(node)));
  const tiles = Math.ceil(length / tile);
  let [seen, all] = [0, 0];
  if (block > 1) {
    const blocks = Math.ceil(length / block);
    const count = Math.ceil(blocks / 32);
    const per = tile / block;
    let chosen = 0;
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < tiles; i++)
        for (let j = 0; j <= i; j++) {
          let any = false;
          for (let x = i * per; x < Math.min((i + 1) * per, blocks); x++)
            for (let y = j * per; y <= Math.min((j + 1) * per - 1, x); y++)
              if (has(sets[0]!, x * heads + h, count, y)) {
                any = true;
                chosen++;
              }
          all++;
          if (any) seen++;
        }
    return {
      kept_tiles: short(seen / all),
      kept: short(chosen / ((heads * blocks * (blocks + 1)) / 2)),
    };
  }
  const count = Math.ceil(length / 32);
  for (let h = 0; h < heads; h++) {
    const [column, diagonal] = [new Uint8Array(tiles), new Uint8Array(tiles)];
    for (let x = 0; x < length; x++) {
      if (has(sets[0]!, h, count, x)) column[Math.floor(x / tile)] = 1;
      if (!has(sets[1]!, h, count, x)) continue;
      diagonal[Math.floor(x / tile)] = 1;
      if (x % tile !== 0) diagonal[Math.min(Math.floor(x / tile) + 1, tiles - 1)] = 1;
    }
    for (let i = 0; i < tiles; i++)
      for (let j = 0; j <= i; j++) if (column[j]! + diagonal[i - j]! > 0) seen++;
    all += (tiles * (tiles + 1)) / 2;
  }
  return { kept_tiles: short(seen / all) };
}

/** Choices of few rows that are not the forced ones and the largest, of equal ones the first. */
export function wrongSets(device: CudaDevice, chain: DeviceChain, graph: Graph): readonly string[] {
  return selectsOf(graph).flatMap((node) => {
    if (node.perRow || node.choose.kind !== "top") return [];
    const sums = new Float32Array(chain.memory(node.buffers[0]!).byteLength / 4);
    device.download(chain.memory(node.buffers[0]!), sums);
    const set = words(device, chain.memory(node));
    const head = node.axes.find(({ name }) => name === "h")!;
    const heads = evaluateLaunchSize(axisExtent(head.size), {});
    const length = sums.length / heads;
    const always = exprEvaluator(node.always);
    const number = exprEvaluator(node.choose.count);
    return Array.from({ length: heads }, (_, h) => {
      const at = (k: number) => ({ ...noValues, index: (name: string) => (name === "k" ? k : h) });
      const own = (k: number): number => sums[k * heads + h]!;
      const free = new Float32Array(length);
      let count = 0;
      const forced = Uint8Array.from({ length }, (_, k) => {
        const is = always(at(k)) !== 0;
        if (!is) free[count++] = own(k);
        return is ? 1 : 0;
      });
      const wanted = Math.max(0, Number(number(at(0))) - (length - count));
      const sorted = free.slice(0, count).sort();
      const least =
        wanted === 0 || wanted > count ? (wanted === 0 ? Infinity : -Infinity) : sorted[count - wanted]!;
      let ties = wanted - sorted.reduce((above, x) => above + (x > least ? 1 : 0), 0);
      let wrong = 0;
      for (let k = 0; k < length; k++) {
        const chosen = forced[k] === 1 || own(k) > least || (own(k) === least && ties-- > 0);
        if (has(set, h, Math.ceil(length / 32), k) !== chosen) wrong++;
      }
      return wrong === 0 ? [] : [`${node.site}, head ${h}: ${wrong} of ${length} candidates`];
    }).flat();
  });
}

/** Rows of the output that are not the soft-max over columns and diagonals, taken anew in double. */
export function wrongRows(
  device: CudaDevice,
  chain: DeviceChain,
  graph: Graph,
  of: {
    readonly heads: number;
    readonly length: number;
    readonly depth: number;
    readonly rows: readonly number[];
  },
): readonly string[] {
  const { heads, length, depth, rows } = of;
  const attention = graph.nodes.find((node): node is AttentionNode => node.kind === "attention")!;
  const all = (memory: CudaMemory): Uint16Array => {
    const data = new Uint16Array(memory.byteLength / 2);
    device.download(memory, data);
    return data;
  };
  const [query, key, value, output] = [
    ...["query", "key", "value"].map((name) => all(chain.given(name))),
    all(chain.memory(attention)),
  ] as [Uint16Array, Uint16Array, Uint16Array, Uint16Array];
  const [columns, diagonals] = selectsOf(graph).map((node) => words(device, chain.memory(node))) as [
    Int32Array,
    Int32Array,
  ];
  const count = Math.ceil(length / 32);
  const row = (data: Uint16Array, t: number, h: number): Float32Array =>
    unpack("bf16", data.subarray((t * heads + h) * depth, (t * heads + h + 1) * depth));
  return rows.flatMap((t) =>
    Array.from({ length: heads }, (_, h) => {
      const own = row(query, t, h);
      const sum = new Float64Array(depth);
      let total = 0;
      for (let k = 0; k <= t; k++) {
        if (!has(columns, h, count, k) && !has(diagonals, h, count, t - k)) continue;
        const other = row(key, k, h);
        let dot = 0;
        for (let d = 0; d < depth; d++) dot += own[d]! * other[d]!;
        // Far below the largest float; the shift is the same above and below.
        const weight = Math.exp(dot / Math.sqrt(depth) - 12);
        const of = row(value, k, h);
        total += weight;
        for (let d = 0; d < depth; d++) sum[d]! += weight * of[d]!;
      }
      const found = row(output, t, h);
      const error = sum.reduce((most, x, d) => Math.max(most, Math.abs(x / total - found[d]!)), 0);
      return error <= 0.03 ? [] : [`row ${t}, head ${h}: ${error}`];
    }).flat(),
  );
}
