/** Random graphs of maps, reductions, contractions and reshapes over tensors of up to four axes, for scheduling tests. */
import fc from "fast-check";
import { GraphWriter } from "../../bench/decoder-graph.ts";
import {
  add,
  binary,
  index,
  mul,
  operand,
  real,
  sub,
  toReal,
  unary,
  type Expr,
} from "../../compiler/ir/expr.ts";
import type { Axis, Graph, Node } from "../../compiler/ir/graph.ts";

const axes: readonly Axis[] = [
  { name: "b", size: { kind: "batch" } },
  { name: "t", size: { kind: "length", plus: 0, by: 1 } },
  { name: "i", size: { kind: "fixed", value: 5 } },
  { name: "j", size: { kind: "fixed", value: 18 } },
  { name: "k", size: { kind: "fixed", value: 3 } },
];

/** A source of choices: numbers that fast-check shrinks. */
class Choices {
  #at = 0;
  readonly #numbers: readonly number[];

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  below(limit: number): number {
    const n = this.#numbers[this.#at++ % this.#numbers.length]!;
    return n % limit;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  subset<T>(from: readonly T[]): readonly T[] {
    const bits = this.below(1 << from.length);
    return from.filter((_, n) => (bits >> n) & 1);
  }

  shuffled<T>(from: readonly T[]): readonly T[] {
    const rest = [...from];
    return from.map(() => rest.splice(this.below(rest.length), 1)[0]!);
  }
}

function body(choices: Choices, operands: number, owned: readonly Axis[]): Expr {
  const unaries = ["tanh", "sigmoid", "abs", "sin"] as const;
  let made: Expr = operand(0);
  for (let n = 1; n < operands; n++)
    made = choices.pick([add, sub, mul])(made, unary(choices.pick(unaries), operand(n)));
  switch (choices.below(4)) {
    case 0:
      return binary("max", made, real(0.25));
    case 1:
      return owned.length === 0 ? made : add(made, mul(real(0.1), toReal(index(choices.pick(owned).name))));
    case 2:
      return unary("tanh", made);
    default:
      return mul(made, real(0.75));
  }
}

function extend(g: GraphWriter, choices: Choices, pool: Node[], n: number): Node | null {
  const site = `node.${n}`;
  const a = choices.pick(pool);
  switch (choices.below(8)) {
    case 0:
    case 1: {
      if (a.axes.length === 0) return null;
      const over = choices.subset(a.axes.map((axis) => axis.name));
      if (over.length === 0) return null;
      const left = a.axes.filter((axis) => !over.includes(axis.name));
      return g.add(site, left, { kind: "reduce", op: choices.pick(["sum", "max", "min"]), operand: a, over });
    }
    case 2: {
      const b = choices.pick(pool);
      const all = new Map([...a.axes, ...b.axes].map((axis) => [axis.name, axis] as const));
      const over = choices.subset([...all.keys()]);
      if (over.length === 0) return null;
      const kept = [...all.values()].filter((axis) => !over.includes(axis.name));
      if (kept.length > 4) return null;
      return g.contract(site, choices.shuffled(kept), a, b, over);
    }
    case 3: {
      const at = a.axes.findIndex((axis) => axis.name === "j");
      if (at < 0) return null;
      const outer: Axis = { name: "p", size: { kind: "fixed", value: 6 } };
      const inner: Axis = { name: "k", size: { kind: "fixed", value: 3 } };
      if (a.axes.some((axis) => axis.name === "k" || axis.name === "p")) return null;
      return g.reshape(site, a, [...a.axes.slice(0, at), outer, inner, ...a.axes.slice(at + 1)]);
    }
    default: {
      const operands = [a, ...choices.subset([choices.pick(pool), choices.pick(pool)])];
      const all = new Map(operands.flatMap((node) => node.axes.map((axis) => [axis.name, axis] as const)));
      const owned = [...all.values()];
      if (owned.length > 4) return null;
      const order = choices.below(4) === 0 ? choices.shuffled(owned) : owned;
      return g.map(site, order, operands, body(choices, operands.length, owned));
    }
  }
}

/** Choices that make one graph; short enough to read when a property fails. */
export const graphChoices: fc.Arbitrary<readonly number[]> = fc.array(fc.nat(10_000), {
  minLength: 40,
  maxLength: 160,
});

/**
 * A graph over parameters `<prefix>p0` … with fixed axes and a map that brings in batch and length; outputs
 * `<prefix>out0` ….
 */
export function randomRowsGraph(numbers: readonly number[], prefix = ""): Graph {
  const choices = new Choices(numbers);
  const g = new GraphWriter();
  const pool: Node[] = [];
  for (let n = 0; n < 3; n++) {
    const owned = choices.subset(axes.slice(2));
    pool.push(g.parameter(`${prefix}p${n}`, owned, { kind: "normal", deviation: 1 }));
  }
  const scale = g.add("loss-scale", [], { kind: "input", name: "loss-scale" });
  const wave = unary("sin", add(toReal(index("t")), mul(real(3), toReal(index("j")))));
  pool.push(g.map("start", [axes[0]!, axes[1]!, axes[3]!], [scale], mul(operand(0), wave)));
  for (let n = 0; n < 14; n++) {
    const made = extend(g, choices, pool, n);
    if (made !== null) pool.push(made);
  }
  const computed = pool.slice(4);
  const chosen = new Set([...choices.subset(computed.slice(-5)), pool.at(-1)!]);
  const outputs = new Map([...chosen].map((node, n) => [`${prefix}out${n}`, node]));
  return { nodes: g.nodes, outputs };
}

/** Several random graphs side by side as one, so that one compilation tries many. */
export function randomRowsGraphs(choices: readonly (readonly number[])[]): Graph {
  const graphs = choices.map((numbers, n) => randomRowsGraph(numbers, `g${n}.`));
  return {
    nodes: graphs.flatMap((graph) => graph.nodes),
    outputs: new Map(graphs.flatMap((graph) => [...graph.outputs])),
  };
}
