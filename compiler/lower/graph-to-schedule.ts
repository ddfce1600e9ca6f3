/** Graph → Schedule: matrix products, fused rows steps and nodes with kernels of their own, over tensors with places. */
import { axisExtent } from "../ir/axis-extent.ts";
import type { ParameterInfo, Size } from "../../runtime/program.ts";
import type { ContractNode, Graph, Node, ReduceNode } from "../ir/graph.ts";
import { nodeOperands } from "../ir/graph-operands.ts";
import { nodeResults } from "../ir/graph-results.ts";
import type { Operand, RowsInput, Schedule, Step } from "../ir/schedule.ts";
import { planContract, type OperandPlan } from "./graph-to-schedule-contract.ts";
import { fuseUnits, liveNodes, producerOf } from "./graph-to-schedule-fuse.ts";
import { copyStep, reduceStep, unitToRows, type RowsContext, type Store } from "./graph-to-schedule-rows.ts";
import { productSize, sizedAxes, TensorTable, type SizedAxis } from "./graph-to-schedule-tensors.ts";

/** Name of the scalar that says whether a run's gradients are added to those already there (not 0) or replace them. */
export const accumulateScalar = "accumulate";

const outputRole = (name: string): "gradient" | "output" =>
  name.startsWith("gradient:") ? "gradient" : "output";

/**
 * Schedules one graph a phase. Outputs named `gradient:<path>` go to gradient tensors and are added to them where the
 * scalar `accumulate` is not 0; all others go to output tensors of their name, which phases share.
 */
export function graphToSchedule(
  phases: Readonly<Record<string, Graph>>,
  parameters: readonly ParameterInfo[],
): Schedule {
  const table = new TensorTable();
  table.addParameters(parameters);
  const steps: Record<string, readonly Step[]> = {};
  for (const [name, graph] of Object.entries(phases))
    steps[name] = new PhaseLowering(name, graph, table).run();
  return { tensors: table.tensors, phases: steps };
}

class PhaseLowering {
  readonly #phase: string;
  readonly #graph: Graph;
  readonly #table: TensorTable;
  readonly #steps: Step[] = [];
  readonly #places = new Map<Node, Operand>();
  /** Computed nodes whose memory is a named output. */
  readonly #targets = new Map<Node, Store>();
  /** Outputs that need a copy of a value kept elsewhere. */
  readonly #copies: { node: Node; store: Store }[] = [];
  readonly #readers = new Map<Node, Node[]>();
  /** The first node that stands for each result of a node with several. */
  readonly #results = new Map<Node, Map<number, Node>>();

  constructor(phase: string, graph: Graph, table: TensorTable) {
    this.#phase = phase;
    this.#graph = graph;
    this.#table = table;
  }

  run(): readonly Step[] {
    const nodes = liveNodes(this.#graph);
    for (const node of nodes) {
      for (const operand of nodeOperands(node))
        this.#readers.set(operand, [...(this.#readers.get(operand) ?? []), node]);
      if (node.kind !== "result") continue;
      const known = this.#results.get(node.of) ?? new Map<number, Node>();
      this.#results.set(node.of, known);
      if (!known.has(node.result)) known.set(node.result, node);
    }
    this.#bindOutputs();
    for (const unit of fuseUnits(nodes)) {
      if (unit.kind === "node") {
        this.#node(unit.members[0]!);
        continue;
      }
      const inside = new Set(unit.members);
      const read = new Set(
        unit.members.filter((member) =>
          (this.#readers.get(member) ?? []).some((reader) => !inside.has(reader)),
        ),
      );
      const context: RowsContext = {
        locate: (node) => this.#locate(node),
        store: (node) => (this.#targets.has(node) || read.has(node) ? this.#place(node) : null),
        temporary: (site, shape, dtype) => this.#table.activation(`${this.#phase}:${site}`, shape, dtype),
        before: (step) => this.#steps.push(step),
      };
      this.#steps.push(unitToRows(unit, context));
    }
    for (const { node, store } of this.#copies)
      this.#steps.push(copyStep(this.#input(node), sizedAxes(node.axes), store, node.site));
    return this.#steps;
  }

  /** Gives each output its tensor: in place where the value is computed, else by a copy at the end. */
  #bindOutputs(): void {
    for (const [name, node] of this.#graph.outputs) {
      const role = outputRole(name);
      const shape = node.axes.map((axis) => axisExtent(axis.size));
      const operand = this.#table.named(name, role, shape, node.dtype);
      const accumulate = role === "gradient" ? accumulateScalar : null;
      const store: Store = { operand, accumulate };
      const root = this.#root(node);
      const fresh = producerOf(root) !== null && !this.#targets.has(root);
      // A sum over several runs is no value of this run: nobody else may read it, and kernels of nodes replace.
      const summable =
        (root.kind === "contract" || root.kind === "map" || root.kind === "reduce") &&
        !this.#isRead(root, node);
      if (fresh && (accumulate === null || summable)) this.#targets.set(root, store);
      else this.#copies.push({ node, store });
    }
  }

  /** The node in whose memory a value lies: itself, what it reshapes, or the first that stands for the same result. */
  #root(node: Node): Node {
    if (node.kind === "reshape") return this.#root(node.operand);
    return node.kind === "result" ? (this.#results.get(node.of)?.get(node.result) ?? node) : node;
  }

  /** True when anything but the chain of reshapes from `root` up to the output `node` reads the value. */
  #isRead(root: Node, node: Node): boolean {
    const chain = new Set<Node>();
    for (let at = node; ; at = at.operand) {
      chain.add(at);
      if (at === root || at.kind !== "reshape") break;
    }
    return [...chain].some((link) => (this.#readers.get(link) ?? []).some((reader) => !chain.has(reader)));
  }

  #locate(node: Node): Operand {
    const place = this.#places.get(node);
    if (place !== undefined) return place;
    const given = this.#given(node);
    this.#places.set(node, given);
    return given;
  }

  #given(node: Node): Operand {
    const shape = node.axes.map((axis) => axisExtent(axis.size));
    switch (node.kind) {
      case "reshape":
        return this.#locate(node.operand);
      case "result": {
        const root = this.#root(node);
        if (root !== node) return this.#locate(root);
        throw new Error(`result ${node.result} of ${node.site} is read before it is computed`);
      }
      case "input":
        return this.#table.named(`input:${node.name}`, "input", shape, node.dtype);
      case "parameter":
        return this.#table.named(node.path, "parameter", shape, node.dtype);
      default:
        throw new Error(`${node.kind} of ${node.site} is read before it is computed`);
    }
  }

  /** A new activation for a computed value. */
  #fresh(node: Node, axes: readonly SizedAxis[] = sizedAxes(node.axes)): Store {
    const operand = this.#table.activation(
      `${this.#phase}:${node.site}`,
      axes.map((axis) => axis.size),
      node.dtype,
    );
    this.#places.set(node, operand);
    return { operand, accumulate: null };
  }

  /** Where a computed value goes: its output, or a new activation. */
  #place(node: Node): Store {
    const target = this.#targets.get(node);
    if (target === undefined) return this.#fresh(node);
    this.#places.set(node, target.operand);
    return target;
  }

  #input(node: Node): RowsInput {
    return { operand: this.#locate(node), axes: sizedAxes(node.axes), dtype: node.dtype };
  }

  #node(node: Node): void {
    if (node.kind === "contract") return this.#contract(node);
    if (node.kind === "reduce") return this.#reduceAcross(node);
    const outputs = new Set([...this.#graph.outputs.values()].map((output) => this.#root(output)));
    const readers = this.#readers.get(node) ?? [];
    const firstRead = outputs.has(node) || readers.some((reader) => reader.kind !== "result");
    const results = nodeResults(node).map((_, n): Operand | null => {
      const result = n === 0 ? node : this.#results.get(node)?.get(n);
      return result === undefined || (n === 0 && !firstRead) ? null : this.#place(result).operand;
    });
    this.#steps.push({
      kind: "node",
      node,
      operands: nodeOperands(node).map((operand) => this.#locate(operand)),
      results,
      site: node.site,
    });
  }

  /** A reduction whose axes are not at an end: they are moved last first. */
  #reduceAcross(node: ReduceNode): void {
    const axes = sizedAxes(node.operand.axes);
    const over = new Set(node.over);
    const order = [
      ...axes.filter((axis) => !over.has(axis.name)),
      ...axes.filter((axis) => over.has(axis.name)),
    ];
    const moved = this.#permuted(this.#input(node.operand), order, node.site);
    const store = this.#place(node);
    this.#steps.push(reduceStep(moved, over.size, node.op, store, node.site));
  }

  /** The input under another order of its axes, copied. */
  #permuted(input: RowsInput, axes: readonly SizedAxis[], site: string): RowsInput {
    if (input.axes.every((axis, n) => axis.name === axes[n]!.name)) return input;
    const operand = this.#temporary(`${site}.permuted`, axes, input.dtype);
    this.#steps.push(copyStep(input, axes, { operand, accumulate: null }, site));
    return { operand, axes, dtype: input.dtype };
  }

  #temporary(site: string, axes: readonly SizedAxis[], dtype: "f32" | "i32" = "f32"): Operand {
    return this.#table.activation(
      `${this.#phase}:${site}`,
      axes.map((axis) => axis.size),
      dtype,
    );
  }

  #contract(node: ContractNode): void {
    const plan = planContract(
      sizedAxes(node.left.axes),
      sizedAxes(node.right.axes),
      sizedAxes(node.axes),
      node.over,
    );
    const left = this.#arranged(node.left, plan.left, node.site);
    const right = this.#arranged(node.right, plan.right, node.site);
    const sizes = new Map<string, Size>();
    for (const axis of [...sizedAxes(node.left.axes), ...sizedAxes(node.right.axes)])
      sizes.set(axis.name, axis.size);
    const product = (names: readonly string[]): Size => productSize(names.map((name) => sizes.get(name)!));
    const written = plan.out.map((name): SizedAxis => ({ name, size: sizes.get(name)! }));
    const store: Store = plan.direct
      ? this.#place(node)
      : { operand: this.#temporary(node.site, written), accumulate: null };
    const [m, n, k] = [product(plan.m), product(plan.n), product(plan.k)];
    const common = {
      kind: "matmul",
      out: store.operand,
      batch: product(plan.batch),
      k,
      accumulate: store.accumulate,
      site: node.site,
    } as const;
    // a is [m,k] or, transposed, [k,m]; b is [k,n] or, transposed, [n,k].
    this.#steps.push(
      plan.swapped
        ? {
            ...common,
            a: right,
            b: left,
            m: n,
            n: m,
            transposeA: plan.right.kFirst,
            transposeB: !plan.left.kFirst,
          }
        : {
            ...common,
            a: left,
            b: right,
            m,
            n,
            transposeA: plan.left.kFirst,
            transposeB: !plan.right.kFirst,
          },
    );
    if (!plan.direct) {
      const input: RowsInput = { operand: store.operand, axes: written, dtype: "f32" };
      this.#steps.push(copyStep(input, sizedAxes(node.axes), this.#place(node), node.site));
    }
  }

  /** An operand of a product in the order the product reads. */
  #arranged(node: Node, plan: OperandPlan, site: string): Operand {
    if (plan.direct) return this.#locate(node);
    let input = this.#input(node);
    const sizes = new Map(input.axes.map((axis) => [axis.name, axis] as const));
    const order = plan.order.map((name) => sizes.get(name)!);
    input = this.#permuted(input, [...order, ...plan.summed.map((name) => sizes.get(name)!)], site);
    if (plan.summed.length === 0) return input.operand;
    const operand = this.#temporary(`${site}.summed`, order);
    this.#steps.push(reduceStep(input, plan.summed.length, "sum", { operand, accumulate: null }, site));
    return operand;
  }
}
