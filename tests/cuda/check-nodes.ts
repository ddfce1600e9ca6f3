/** Compares CUDA calls of single nodes, wherever they run, with the interpreter: inputs whose products are exact. */
import type { AttentionElement } from "../../compiler/backends/cuda/element.ts";
import { graphOf, resultNode } from "../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import type { CudaCall } from "../../runtime/device/cuda/launch.ts";
import { fillTensor, randomNumbers, shapeOf } from "../support/random-values.ts";
import type { RunCall } from "./check-calls.ts";
import { pack, unpack, type Packed } from "./sixteen-bits.ts";

/** A node and the call that computes it. */
export interface NodeCase {
  readonly name: string;
  readonly node: Node;
  readonly call: (element: AttentionElement) => CudaCall;
}

export interface CaseSizes {
  readonly batch: number;
  readonly length: number;
  readonly "query-start": number;
}

/** Allowed error as a share of a result's largest number: rounded weights and results have 8 and 11 bits. */
const allowed: Readonly<Record<AttentionElement, number>> = { f32: 3e-5, bf16: 3e-2, f16: 4e-3 };

/** Operands and results of 16 bits where the call is for them: what attention multiplies, and its gradients. */
function isElement(node: Node, of: Node): boolean {
  if (of.dtype === "i32") return false;
  if ("buffers" in node && node.buffers.includes(of)) return false;
  return !("logSumExp" in node && node.logSumExp === of);
}
/** True for a table's gradient. */
function isTableGradient(node: Node, n: number): boolean {
  if (node.kind !== "attention-gradient") return false;
  const first = 2 * node.regions.length + 1;
  return n >= first && n < first + node.bufferGradients.length;
}
function resultIsElement(node: Node, n: number): boolean {
  if (node.kind === "attention") return n === 0;
  if (node.kind !== "attention-gradient") return node.kind === "block-reduce" || node.kind === "block-spread";
  return !isTableGradient(node, n);
}

/** Multiples of 1/4, so that products are exact and many are equal; words are empty, full, or neither. */
function inputsOf(graph: ReturnType<typeof graphOf>, sizes: CaseSizes, seed: number) {
  const next = randomNumbers(seed);
  const inputs = new Map<string, Float64Tensor>();
  const word = (): number => [0, -1, Math.floor(next() * 2 ** 32) | 0][Math.floor(next() * 3)]!;
  for (const node of graph.nodes)
    if (node.kind === "parameter") {
      const one = node.dtype === "i32" ? word : (): number => Math.floor(next() * 13 - 6) / 4;
      inputs.set(node.path, fillTensor(shapeOf(node.axes, sizes), one));
    }
  return inputs;
}

/** What differs, one line for each result. Results start as what nobody would write. */
export function compareNode(
  { name, node }: NodeCase,
  element: AttentionElement,
  run: RunCall,
  sizes: CaseSizes,
  seed: number,
): readonly string[] {
  const outputs: Record<string, Node> = {};
  nodeResults(node).forEach((_, r) => (outputs[`r${r}`] = r === 0 ? node : resultNode(node, r)));
  nodeOperands(node).forEach((own, o) => (outputs[`o${o}`] = own));
  const graph = graphOf(outputs);
  const found = interpret(graph, inputsOf(graph, sizes, seed), sizes, {});
  const packed = (own: Node, data: Float64Array): Packed =>
    own.dtype === "i32"
      ? Int32Array.from(data)
      : isElement(node, own)
        ? pack(element, data)
        : Float32Array.from(data);
  const operands = nodeOperands(node).map((own, o) => packed(own, found.get(`o${o}`)!.data));
  const wanted = nodeResults(node).map((_, r) => found.get(`r${r}`)!.data);
  const given = wanted.map((data, r): Packed => {
    if (node.dtype === "i32") return new Int32Array(data.length).fill(0x55aa55aa);
    const nothing = new Float64Array(data.length).fill(NaN);
    return resultIsElement(node, r) ? pack(element, nothing) : Float32Array.from(nothing);
  });
  const queryAxes = "regions" in node ? node.regions[0]!.query.axes : null;
  const queries = queryAxes === null ? sizes.length : shapeOf(queryAxes, sizes)[1]!;
  const launch = { ...sizes, "query-length": queries, step: 0 };
  run([...operands, ...given], given.length, launch);
  return wanted.flatMap((want, r) => {
    // These sums cancel, so rounded weights leave any share of them: f32 compares them here, and random specs compare
    // tables of all elements with the size of what is added up.
    if (element !== "f32" && isTableGradient(node, r)) return [];
    const raw = given[r]!;
    const own = raw instanceof Int32Array ? raw : unpack(element, raw);
    const size = want.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1);
    const most = node.dtype === "i32" ? 0 : allowed[element] * size;
    const bad = want.findIndex((x, i) => {
      const y = own[i]!;
      return !(Math.abs(y - x) <= most) && y !== x && !(Number.isNaN(x) && Number.isNaN(y));
    });
    if (bad < 0) return [];
    return [
      `${element} ${name}, result ${r}, ${JSON.stringify(sizes)}: ${own[bad]} for ${want[bad]} at ${bad}`,
    ];
  });
}
