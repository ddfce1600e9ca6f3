/**
 * Tables of one phase of an attention: what the loads of its expressions read. Some are tensors; the logit, softmaxes
 * over keys and unsummed products are known only by their expressions until it is clear how they are used.
 */
import type { AttentionBuffer, AttentionShape } from "../../ir/attention-meaning.ts";
import * as ir from "../../ir/expr.ts";
import { axis, batchAxis, lengthSize, fixedSize, blocksOf } from "../../ir/graph-axes.ts";
import { holeNode } from "../../ir/graph-build-pairs.ts";
import type { Axis, AxisSize, Node, Region } from "../../ir/graph.ts";

/** The scaled logit after rotation, over [h, q, k]. */
export interface LogitTable {
  readonly kind: "logit";
}

/** A softmax over the keys `k` of each row, or of each block of keys, over [h, q, k]; its expressions read `h`, `q`, `k`. */
export interface SoftmaxTable {
  readonly kind: "softmax";
  readonly guard: ir.Expr;
  readonly score: ir.Expr;
  /** Keys of a block, where each block has a softmax of its own. */
  readonly block: number | null;
}

/** Σ over `over` of left · right, over `variables` in this order. */
export interface DotTable {
  readonly kind: "dot";
  readonly left: ir.Expr;
  readonly right: ir.Expr;
  readonly over: readonly string[];
  readonly variables: readonly string[];
}

export type Table = AttentionBuffer | LogitTable | SoftmaxTable | DotTable;

/** What an index ranges over. */
export interface Variable {
  readonly role: "position" | "diagonal" | "block" | "head" | "kv-head" | "axis" | "dim";
  readonly size: AxisSize;
}

const roleOrder = ["position", "diagonal", "block", "head", "kv-head", "axis", "dim"] as const;

/** `b` and `t` are names of the graph's own axes. */
export const axisName = (name: string): string => (name === "b" || name === "t" ? `${name}_` : name);

const sameTable = (a: Table, b: Table): boolean => {
  switch (a.kind) {
    case "parameter":
      return b.kind === "parameter" && a.name === b.name;
    case "documents":
    case "starts":
    case "logit":
      return a.kind === b.kind;
    case "node":
      return b.kind === "node" && a.node === b.node;
    case "softmax":
      return b.kind === "softmax" && a.guard === b.guard && a.score === b.score && a.block === b.block;
    case "dot":
      return b.kind === "dot" && a.left === b.left && a.right === b.right && a.over.join() === b.over.join();
    default:
      return a satisfies never;
  }
};

export class Tables {
  readonly shape: AttentionShape;
  /** Axes of the attention's own parameters, by name. */
  readonly parameters: ReadonlyMap<string, readonly Axis[]>;
  /** Tensors made for an expression over indices in an order. */
  readonly made = new Map<ir.Expr, Map<string, Node | null>>();
  /** For a table of a softmax: its logarithm, over the same indices. */
  readonly logarithms = new Map<number, ir.Expr>();
  /** For a table over rows and heads that is Σ exp(score) over the keys where the guard holds: both, over `h`, `q`, `k`. */
  readonly totals = new Map<number, { readonly guard: ir.Expr; readonly score: ir.Expr }>();
  /** Queries and keys that the logit is made of, rotated where no turn is left; null while it is not known how they are. */
  regions: readonly Region[] | null = null;
  readonly contractions = new Map<number, Node | null>();
  /** Logarithms of row sums made before, by mask and score. */
  readonly rowSums: { readonly mask: ir.Expr; readonly score: ir.Expr; readonly log: ir.Expr | null }[] = [];
  readonly #entries: Table[] = [];
  readonly #variables = new Map<string, Variable>();

  constructor(shape: AttentionShape, parameters: ReadonlyMap<string, readonly Axis[]>) {
    this.shape = shape;
    this.parameters = parameters;
    const position: Variable = { role: "position", size: lengthSize() };
    this.define("q", position);
    this.define("k", position);
    this.define("h", { role: "head", size: fixedSize(shape.heads) });
    this.define("g", { role: "kv-head", size: fixedSize(shape.kvHeads) });
    this.define("d", { role: "dim", size: fixedSize(shape.headSize) });
  }

  /** The number by which expressions load a table. */
  number(table: Table): number {
    const at = this.#entries.findIndex((known) => sameTable(known, table));
    return at === -1 ? this.#entries.push(table) - 1 : at;
  }

  at(number: number): Table {
    return this.#entries[number]!;
  }

  define(name: string, variable: Variable): void {
    this.#variables.set(name, variable);
  }

  variable(name: string): Variable | undefined {
    return this.#variables.get(name);
  }

  size(name: string): AxisSize {
    const known = this.#variables.get(name);
    if (known === undefined) throw new Error(`nothing is known of the index ${name}`);
    return known.size;
  }

  /** Another name for an index of the same kind, which no expression reads yet. */
  fresh(name: string): string {
    for (let n = 2; ; n++) {
      const other = `${name}${n}`;
      if (this.#variables.has(other)) continue;
      this.define(other, this.#variables.get(name)!);
      return other;
    }
  }

  /** Whether an index counts positions of a row. */
  isPosition(name: string): boolean {
    const role = this.#variables.get(name)?.role;
    return role === "position" || role === "diagonal";
  }

  /** Names of indices in the order in which tensors have them: rows, heads, the rest. */
  ordered(names: Iterable<string>): readonly string[] {
    const place = (name: string): number => roleOrder.indexOf(this.#variables.get(name)?.role ?? "axis");
    return [...new Set(names)].sort((a, b) => place(a) - place(b) || (a < b ? -1 : a > b ? 1 : 0));
  }

  /** A hole of the model: queries [b, t, h, d], keys and values [b, t, g, d]. */
  hole(name: "Q" | "K" | "V" | `logit-query:${number}` | `logit-key:${number}`): Node {
    const { heads, kvHeads, headSize, valueSize } = this.shape;
    const query = name === "Q" || name.startsWith("logit-query:");
    const axes = [
      batchAxis,
      axis("t", lengthSize()),
      query ? axis("h", heads) : axis("g", kvHeads),
      axis("d", name === "V" ? (valueSize ?? headSize) : headSize),
    ];
    return this.#hole(name, axes);
  }

  /** The hole of a parameter. */
  parameterHole(name: string): Node {
    return this.#hole(`parameter:${name}`, this.parameters.get(name)!);
  }

  readonly #holes = new Map<string, Node>();
  #hole(name: string, axes: readonly Axis[]): Node {
    const known = this.#holes.get(name);
    if (known !== undefined) return known;
    const made = holeNode(name, axes, name);
    this.#holes.set(name, made);
    return made;
  }

  /** The key-value head that a head reads. */
  groupOf(head: ir.Expr): ir.Expr {
    const { heads, kvHeads } = this.shape;
    if (heads === kvHeads || (head.kind === "index" && this.variable(head.name)?.role === "kv-head"))
      return head;
    return ir.binary("floor-div", head, ir.int(heads / kvHeads));
  }

  /** How many blocks of `by` an index has. */
  blocks(of: string, by: number): AxisSize {
    return blocksOf(this.size(of), by);
  }
}
