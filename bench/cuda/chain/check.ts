/** Runs a chain over small given tensors, wherever its calls run, and compares its outputs with the interpreter. */
import type { AttentionElement } from "../../../compiler/backends/cuda/element.ts";
import { nodeResults } from "../../../compiler/ir/graph-results.ts";
import type { Graph, Node } from "../../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../../compiler/ir/interpret.ts";
import type { LaunchSizes } from "../../../runtime/device/cuda/launch.ts";
import { pack, round, unpack, type Packed } from "../../../tests/cuda/sixteen-bits.ts";
import { fillTensor, randomNumbers, shapeOf } from "../../../tests/support/random-values.ts";
import type { Link } from "./chain.ts";
import { elementsOf, isElement, tensorOf, type Tensor } from "./tensors.ts";

/** Runs a link; its last buffers are written in place. */
export type RunLink = (link: Link, buffers: readonly Packed[], sizes: LaunchSizes) => void | Promise<void>;

/** Allowed error as a share of an output's largest number. */
const allowed: Readonly<Record<AttentionElement, number>> = { f32: 2e-5, bf16: 2e-2, f16: 3e-3 };

export interface CheckOptions {
  readonly element: AttentionElement;
  readonly length: number;
  readonly seed: number;
}

/** What differs, one line for each output. */
export async function checkChain(
  graph: Graph,
  links: readonly Link[],
  run: RunLink,
  { element, length, seed }: CheckOptions,
): Promise<readonly string[]> {
  const sizes = { batch: 1, length, "query-start": 0 };
  const next = randomNumbers(seed);
  const inputs = new Map<string, Float64Tensor>();
  for (const node of graph.nodes)
    if (node.kind === "parameter")
      inputs.set(
        node.path,
        fillTensor(shapeOf(node.axes, sizes), () => round(element, 2 * (2 * next() - 1))),
      );
  const wanted = interpret(graph, inputs, sizes);
  const ofElements = elementsOf(graph);
  const memory = new Map<Node, Packed[]>();
  const packed = (of: Tensor, data: Float64Array): Packed =>
    of.node.dtype === "i32"
      ? Int32Array.from(data)
      : isElement(of, ofElements)
        ? pack(element, data)
        : Float32Array.from(data);
  const tensor = (of: Tensor): Packed => {
    const own = memory.get(of.node) ?? [];
    memory.set(of.node, own);
    if (of.node.kind === "parameter") return (own[0] ??= packed(of, inputs.get(of.node.path)!.data));
    const axes = nodeResults(of.node)[of.result]!.axes;
    const count = shapeOf(axes, sizes).reduce((all, one) => all * one, 1);
    return (own[of.result] ??= packed(of, new Float64Array(count).fill(of.node.dtype === "i32" ? 7 : NaN)));
  };
  const launch = { ...sizes, "query-length": length, step: 0 };
  for (const link of links) await run(link, link.buffers.map(tensor), launch);
  return [...graph.outputs].flatMap(([name, node]) => {
    const raw = tensor(tensorOf(node));
    const found = raw instanceof Int32Array ? raw : unpack(element, raw);
    const want = wanted.get(name)!.data;
    const size = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const error = want.reduce((most, x, i) => {
      const own = Math.abs(found[i]! - x);
      return own <= most ? most : Number.isNaN(own) ? Infinity : own;
    }, 0);
    return error <= allowed[element] * size
      ? []
      : [`${name}: ${error} of ${size}, length ${length}, ${element}`];
  });
}
