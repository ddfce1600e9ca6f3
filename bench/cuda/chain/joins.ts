/** Which nodes of a chain need no kernel: a tensor that one node alone reads can be made there, or where its operand is. */
import { nodeOperands } from "../../../compiler/ir/graph-operands.ts";
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Graph, Node } from "../../../compiler/ir/graph.ts";
import { concatOf, sideOf } from "./product-sides.ts";
import { joinsProduct, type AfterProduct } from "./products.ts";
import { rootOf } from "./tensors.ts";

export interface Joins {
  /** Maps and concatenations that are computed by what reads them. */
  readonly withReader: ReadonlySet<Node>;
  /** What a product computes of its sums before it stores them. */
  readonly after: ReadonlyMap<NodeOf<"contract">, AfterProduct>;
}

export function joinsOf(graph: Graph): Joins {
  const outputs = new Set([...graph.outputs.values()].map(rootOf));
  // Reshapes share memory with what they are made of: who reads them reads that.
  const readers = new Map<Node, Node[]>();
  for (const node of graph.nodes) {
    if (node.kind === "reshape") continue;
    for (const root of new Set(nodeOperands(node).map(rootOf)))
      readers.set(root, [...(readers.get(root) ?? []), node]);
  }
  const onlyReader = (node: Node): Node | null => {
    const all = readers.get(node) ?? [];
    return all.length === 1 && !outputs.has(node) ? all[0]! : null;
  };
  // What else the reader reads must be there when the product is.
  const place = new Map(graph.nodes.map((node, n) => [node, n]));
  const ready = (reader: Node, at: Node): boolean =>
    nodeOperands(reader).every((operand) => place.get(rootOf(operand))! <= place.get(at)!);
  const withReader = new Set<Node>();
  const after = new Map<NodeOf<"contract">, AfterProduct>();
  for (const node of graph.nodes) {
    const reader = onlyReader(node);
    if (reader === null) continue;
    if (node.kind === "contract") {
      if (
        (reader.kind === "map" || reader.kind === "rotate") &&
        joinsProduct(node, reader) &&
        ready(reader, node)
      )
        after.set(node, reader);
    } else if (node.kind === "map") {
      if ((reader.kind === "map" || reader.kind === "reduce") && nodeOperands(reader).includes(node))
        withReader.add(node);
    } else if (node.kind === "concat" && reader.kind === "contract") {
      const side = [reader.left, reader.right].find((own) => concatOf(own) === node);
      if (side !== undefined && sideOf(side, reader.over).along !== null) withReader.add(node);
    }
  }
  // What a product computes is stored, and so is all that it reads.
  const joined = new Set<Node>(after.values());
  for (const node of withReader)
    if (joined.has(node) || joined.has(onlyReader(node)!)) withReader.delete(node);
  return { withReader, after };
}
