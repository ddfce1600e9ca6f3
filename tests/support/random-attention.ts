/** Buffers of a random attention: what its mask and score load, made as they ask. */
import { axis, inputNode, parameterNode } from "../../compiler/ir/graph-build.ts";
import type { Axis, Node } from "../../compiler/ir/graph.ts";

/** Collects buffers; asking twice for the same gives the same number. */
export interface Buffers {
  readonly nodes: readonly Node[];
  /** Number of the buffer of document ids [b, t]. */
  readonly documents: () => number;
  /** Number of the buffer of document starts [b, t]. */
  readonly starts: () => number;
  /** Number of a new table with the given sizes. */
  readonly table: (axes: Readonly<Record<string, number>>) => number;
}

/** `prefix` names the tables' paths: `<prefix>.table0`. `inputs` holds input nodes that a graph shares. */
export function newBuffers(prefix: string, inputs: Map<string, Node> = new Map()): Buffers {
  const nodes: Node[] = [];
  const once = (name: "documents" | "starts"): number => {
    const node = inputs.get(name) ?? inputNode(name);
    inputs.set(name, node);
    const known = nodes.indexOf(node);
    return known >= 0 ? known : nodes.push(node) - 1;
  };
  return {
    nodes,
    documents: () => once("documents"),
    starts: () => once("starts"),
    table: (sizes) => {
      const axes: Axis[] = Object.entries(sizes).map(([name, size]) => axis(name, size));
      const path = `${prefix}.table${nodes.length}`;
      return nodes.push(parameterNode(path, axes, { kind: "normal", deviation: 1 })) - 1;
    },
  };
}
