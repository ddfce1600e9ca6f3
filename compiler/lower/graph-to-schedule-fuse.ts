/**
 * Decides which nodes run together: chains of maps and reductions over one space of rows × width become one unit,
 * every other computed node a unit of its own; then puts units in an order where producers come first.
 */
import { showSize } from "../ir/graph-axes.ts";
import { nodeOperands } from "../ir/graph-operands.ts";
import type { Axis, Graph, MapNode, Node, ReduceNode } from "../ir/graph.ts";

/** How a member of a fused unit lies in the unit's space. */
export type MemberRole = "element" | "row" | "column";

export interface Unit {
  readonly kind: "rows" | "node";
  /** In graph order. */
  readonly members: readonly Node[];
  /** Axes of the space of a rows unit, outermost first; empty for other units. */
  readonly axes: readonly Axis[];
  /** How many of `axes` count rows; null when no member says. */
  readonly split: number | null;
  readonly roles: ReadonlyMap<Node, MemberRole>;
}

interface OpenUnit {
  kind: "rows" | "node";
  members: Node[];
  axes: readonly Axis[];
  split: number | null;
  roles: Map<Node, MemberRole>;
}

export const axisKey = (axes: readonly Axis[]): string =>
  axes.map(({ name, size }) => `${name}:${showSize(size)}`).join(",");

/** True when a reduction removes the first, or the last, axes of its operand: then no transposition is needed. */
export function reducedEnd(node: ReduceNode): "suffix" | "prefix" | null {
  const axes = node.operand.axes.map((axis) => axis.name);
  const removed = new Set(node.over);
  const count = removed.size;
  if (axes.slice(axes.length - count).every((name) => removed.has(name))) return "suffix";
  if (node.op === "sum" && axes.slice(0, count).every((name) => removed.has(name))) return "prefix";
  return null;
}

/** The computed node whose memory holds a value: reshapes and results lie in another node's memory. Null: given from outside. */
export function producerOf(node: Node): Node | null {
  switch (node.kind) {
    case "input":
    case "parameter":
      return null;
    case "reshape":
      return producerOf(node.operand);
    case "result":
      return node.of;
    default:
      return node;
  }
}

/** Nodes that outputs depend on, in graph order. */
export function liveNodes(graph: Graph): readonly Node[] {
  const live = new Set<Node>();
  const stack = [...graph.outputs.values()];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (live.has(node)) continue;
    live.add(node);
    stack.push(...nodeOperands(node));
  }
  return graph.nodes.filter((node) => live.has(node));
}

/** Units that a unit reads from. */
function sourcesOf(unit: OpenUnit, unitOf: ReadonlyMap<Node, OpenUnit>): Set<OpenUnit> {
  const sources = new Set<OpenUnit>();
  for (const member of unit.members)
    for (const operand of nodeOperands(member)) {
      const producer = producerOf(operand);
      const source = producer === null ? undefined : unitOf.get(producer);
      if (source !== undefined && source !== unit) sources.add(source);
    }
  return sources;
}

/** True when one of `from` depends on a unit of `targets` (or is one). */
function reaches(
  from: Iterable<OpenUnit>,
  targets: ReadonlySet<OpenUnit>,
  unitOf: ReadonlyMap<Node, OpenUnit>,
): boolean {
  const seen = new Set<OpenUnit>();
  const stack = [...from];
  while (stack.length > 0) {
    const unit = stack.pop()!;
    if (targets.has(unit)) return true;
    if (seen.has(unit)) continue;
    seen.add(unit);
    stack.push(...sourcesOf(unit, unitOf));
  }
  return false;
}

/** Where a map or reduction would lie in a unit's space, and the split it asks for; null when it does not fit. */
function fit(node: MapNode | ReduceNode, unit: OpenUnit): { role: MemberRole; split: number | null } | null {
  const inside = nodeOperands(node).filter((operand) => unit.roles.has(operand));
  if (inside.some((operand) => unit.roles.get(operand) === "column")) return null;
  if (node.kind === "map") {
    if (axisKey(node.axes) === axisKey(unit.axes)) return { role: "element", split: unit.split };
    if (
      unit.split !== null &&
      axisKey(node.axes) === axisKey(unit.axes.slice(0, unit.split)) &&
      inside.every((operand) => unit.roles.get(operand) === "row")
    )
      return { role: "row", split: unit.split };
    return null;
  }
  if (axisKey(node.operand.axes) !== axisKey(unit.axes)) return null;
  if (inside.some((operand) => unit.roles.get(operand) !== "element")) return null;
  const end = reducedEnd(node);
  if (end === null) return null;
  const count = new Set(node.over).size;
  const split = end === "suffix" ? unit.axes.length - count : count;
  if (unit.split !== null && unit.split !== split) return null;
  return { role: end === "suffix" ? "row" : "column", split };
}

/** Fuses nodes into units. Laws: units have no cycles among them, and each live computed node is in exactly one. */
export function fuseUnits(nodes: readonly Node[]): readonly Unit[] {
  const unitOf = new Map<Node, OpenUnit>();
  const alone = (
    node: Node,
    kind: "rows" | "node",
    axes: readonly Axis[],
    split: number | null,
  ): OpenUnit => {
    const unit: OpenUnit = { kind, members: [node], axes, split, roles: new Map() };
    unitOf.set(node, unit);
    return unit;
  };
  for (const node of nodes) {
    if (producerOf(node) !== node) continue;
    if (node.kind !== "map" && node.kind !== "reduce") {
      alone(node, "node", [], null);
      continue;
    }
    const producers = nodeOperands(node).flatMap((operand) => unitOf.get(operand) ?? []);
    const candidates = [...new Set(producers)].filter((unit) => unit.kind === "rows").reverse();
    let home: OpenUnit | null = null;
    for (const unit of candidates) {
      const place = fit(node, unit);
      if (place === null) continue;
      const others = new Set(producers.filter((other) => other !== unit));
      for (const operand of nodeOperands(node)) {
        const producer = producerOf(operand);
        const source = producer === null ? undefined : unitOf.get(producer);
        if (source !== undefined && (source !== unit || operand !== producer)) others.add(source);
      }
      if (reaches(others, new Set([unit]), unitOf)) continue;
      unit.members.push(node);
      unit.split = place.split;
      unit.roles.set(node, place.role);
      unitOf.set(node, unit);
      home = unit;
      break;
    }
    if (home === null) home = startUnit(node, alone);
    for (const other of candidates) if (other !== home) mergeUnits(home, other, unitOf);
  }
  mergeSiblings(nodes, unitOf);
  return orderUnits([...new Set(unitOf.values())], unitOf, new Map(nodes.map((node, n) => [node, n])));
}

/** Joins units that read the same tensor over their whole space, so that it is read once. */
function mergeSiblings(nodes: readonly Node[], unitOf: Map<Node, OpenUnit>): void {
  const readers = new Map<Node, Set<Node>>();
  for (const node of nodes)
    if (unitOf.get(node)?.kind === "rows")
      for (const operand of nodeOperands(node))
        readers.set(operand, (readers.get(operand) ?? new Set()).add(node));
  for (const [value, members] of readers) {
    const units = new Set([...members].map((member) => unitOf.get(member)!));
    for (const unit of units)
      for (const other of units)
        if (unit !== other && unit.members.length > 0 && axisKey(unit.axes) === axisKey(value.axes))
          mergeUnits(unit, other, unitOf);
  }
}

function startUnit(
  node: MapNode | ReduceNode,
  alone: (node: Node, kind: "rows" | "node", axes: readonly Axis[], split: number | null) => OpenUnit,
): OpenUnit {
  if (node.kind === "map") {
    const unit = alone(node, "rows", node.axes, null);
    unit.roles.set(node, "element");
    return unit;
  }
  const end = reducedEnd(node);
  if (end === null) return alone(node, "node", [], null);
  const count = new Set(node.over).size;
  const axes = node.operand.axes;
  const unit = alone(node, "rows", axes, end === "suffix" ? axes.length - count : count);
  unit.roles.set(node, end === "suffix" ? "row" : "column");
  return unit;
}

/** Joins two rows units of one space when neither waits for the other through a third. */
function mergeUnits(home: OpenUnit, other: OpenUnit, unitOf: Map<Node, OpenUnit>): void {
  if (home.kind !== "rows" || other.kind !== "rows" || other.members.length === 0) return;
  if (axisKey(home.axes) !== axisKey(other.axes)) return;
  if (home.split !== null && other.split !== null && home.split !== other.split) return;
  const both = new Set([home, other]);
  for (const member of [...home.members, ...other.members])
    for (const operand of nodeOperands(member)) {
      const producer = producerOf(operand);
      const source = producer === null ? undefined : unitOf.get(producer);
      if (source === undefined) continue;
      const inside = both.has(source);
      // A reshaped or column value of the unit itself must be whole in memory before it is read.
      if (inside && (operand !== producer || source.roles.get(producer) === "column")) return;
      // A value of other axes than its readers' is fine inside only when it is a row value of the same split.
      if (!inside && reaches([source], both, unitOf)) return;
    }
  const merged = [...home.members, ...other.members];
  home.split ??= other.split;
  home.members = merged;
  for (const [node, role] of other.roles) home.roles.set(node, role);
  for (const node of other.members) unitOf.set(node, home);
  other.members = [];
}

/**
 * Topological order. Among units that are ready, those that nothing waits for go first, so that what they read (the
 * activations behind a weight's gradient) can be let go; then the one whose last member comes first in the graph.
 */
function orderUnits(
  units: readonly OpenUnit[],
  unitOf: ReadonlyMap<Node, OpenUnit>,
  position: ReadonlyMap<Node, number>,
): readonly Unit[] {
  const last = new Map<OpenUnit, number>();
  const waiting = new Map<OpenUnit, Set<OpenUnit>>();
  const readers = new Map<OpenUnit, OpenUnit[]>();
  for (const unit of units) {
    unit.members.sort((a, b) => position.get(a)! - position.get(b)!);
    last.set(unit, position.get(unit.members.at(-1)!)!);
    const sources = sourcesOf(unit, unitOf);
    waiting.set(unit, sources);
    for (const source of sources) readers.set(source, [...(readers.get(source) ?? []), unit]);
  }
  const rank = (unit: OpenUnit): number => (readers.has(unit) ? last.get(unit)! : -1);
  const ready = units.filter((unit) => waiting.get(unit)!.size === 0);
  const ordered: OpenUnit[] = [];
  while (ready.length > 0) {
    let best = 0;
    for (let n = 1; n < ready.length; n++) if (rank(ready[n]!) < rank(ready[best]!)) best = n;
    const unit = ready.splice(best, 1)[0]!;
    ordered.push(unit);
    for (const reader of readers.get(unit) ?? []) {
      const sources = waiting.get(reader)!;
      sources.delete(unit);
      if (sources.size === 0) ready.push(reader);
    }
  }
  if (ordered.length !== units.length) throw new Error("fused units wait for one another");
  return ordered;
}
