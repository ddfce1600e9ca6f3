/** Which nodes of a chain need no kernel of their own: they are made where they are read, where their operand is, or with others. */
import { nodeOperands } from "../../../compiler/ir/graph-operands.ts";
import type { NodeOf } from "../../../compiler/ir/graph-operands.ts";
import type { Graph, Node } from "../../../compiler/ir/graph.ts";
import { concatOf, sideOf } from "./product-sides.ts";
import { joinsProduct, type AfterProduct } from "./products.ts";
import { sharesRows, type Reduction } from "./reductions.ts";
import { canJoinSelection } from "./select-maps.ts";
import { rootOf } from "./tensors.ts";

export interface Joins {
  /** Maps and concatenations that are computed by all that read them. */
  readonly withReader: ReadonlySet<Node>;
  /** What a product computes of its sums before it stores them. */
  readonly after: ReadonlyMap<NodeOf<"contract">, AfterProduct>;
  /** Reductions that go through the same rows, by the first of them. */
  readonly together: ReadonlyMap<Reduction, readonly Reduction[]>;
}

/** A map is computed again by as many readers at most: more would rather read it. */
const mostReaders = 2;

export function joinsOf(graph: Graph): Joins {
  const outputs = new Set([...graph.outputs.values()].map(rootOf));
  // Reshapes share memory with what they are made of: who reads them reads that.
  const readers = new Map<Node, Node[]>();
  for (const node of graph.nodes) {
    if (node.kind === "reshape") continue;
    for (const root of new Set(nodeOperands(node).map(rootOf)))
      readers.set(root, [...(readers.get(root) ?? []), node]);
  }
  const readersOf = (node: Node): readonly Node[] => (outputs.has(node) ? [] : (readers.get(node) ?? []));
  const place = new Map(graph.nodes.map((node, n) => [node, n]));
  const isThere = (operand: Node, at: Node): boolean => place.get(rootOf(operand))! <= place.get(at)!;

  const after = new Map<NodeOf<"contract">, AfterProduct>();
  for (const node of graph.nodes) {
    const [reader, ...others] = readersOf(node);
    if (node.kind !== "contract" || others.length > 0) continue;
    // What else the reader reads must be there when the product is.
    if (
      (reader?.kind === "map" || reader?.kind === "rotate") &&
      joinsProduct(node, reader) &&
      nodeOperands(reader).every((operand) => isThere(operand, node))
    )
      after.set(node, reader);
  }
  // What a product computes is stored, and so is all that it reads.
  const stored = new Set<Node>(after.values());

  const withReader = new Set<Node>();
  const bySelections = new Set<Node>();
  // From the end on: what reads a map is settled before it.
  for (const node of graph.nodes.toReversed()) {
    const own = readersOf(node);
    if (stored.has(node) || own.length === 0 || own.some((reader) => stored.has(reader))) continue;
    if (node.kind === "map") {
      const selects = (reader: Node): boolean => reader.kind === "select" || bySelections.has(reader);
      const can = (reader: Node): boolean =>
        nodeOperands(reader).every((operand) => operand === node || rootOf(operand) !== node) &&
        (selects(reader)
          ? canJoinSelection(node) &&
            (reader.kind !== "select" || (reader.query !== node && reader.key !== node))
          : reader.kind === "map" || reader.kind === "reduce");
      if (own.length > mostReaders || !own.every(can)) continue;
      withReader.add(node);
      if (own.some(selects)) bySelections.add(node);
    } else if (node.kind === "concat" && own.length === 1 && own[0]!.kind === "contract") {
      const { left, right, over } = own[0] as NodeOf<"contract">;
      const side = [left, right].find((each) => concatOf(each) === node);
      if (side !== undefined && sideOf(side, over).along !== null) withReader.add(node);
    }
  }

  /** The tensors in memory that a node's value is made of. */
  const storedUnder = (node: Node): readonly Node[] =>
    node.kind === "map" && withReader.has(node) ? node.operands.flatMap(storedUnder) : [node];
  const together = new Map<Reduction, readonly Reduction[]>();
  const taken = new Set<Node>();
  const reductions = graph.nodes.filter((node): node is Reduction => node.kind === "reduce");
  for (const first of reductions) {
    if (taken.has(first)) continue;
    const group = [first];
    for (const other of reductions)
      if (
        place.get(other)! > place.get(first)! &&
        sharesRows(first, other) &&
        storedUnder(other.operand).every((own) => group.includes(own as Reduction) || isThere(own, first))
      )
        group.push(other);
    for (const each of group) taken.add(each);
    together.set(first, group);
  }
  return { withReader, after, together };
}
