/** `weight = …` as the tree that lowering splits into nodes: reals and softmaxes, added, multiplied and chosen. */
import * as ir from "../../ir/expr.ts";
import { simplifyExpr } from "../../ir/simplify-expr.ts";
import type { ReadAt, WeightExpr } from "../../ir/weight.ts";
import { factors, freeIndices, terms } from "./expr-tools.ts";
import { isOverPairs, ownLogit } from "./pair-view.ts";
import type { Making } from "./make-node.ts";
import type { SoftmaxTable } from "./tables.ts";

const [q, k, h] = [ir.index("q"), ir.index("k"), ir.index("h")];

/** Whether some part is a softmax over keys, or the sum of exponentials that a softmax divides by. */
const readsSoftmax = (expr: ir.Expr, { tables }: Making): boolean =>
  ir.someExpr(
    expr,
    (e) => e.kind === "load" && (tables.at(e.buffer).kind === "softmax" || tables.totals.has(e.buffer)),
  );

const isTotal = (e: ir.Expr, { tables }: Making): boolean => e.kind === "load" && tables.totals.has(e.buffer);

/**
 * The weight of a pair; null after a refusal. `assumed` takes conditions that the mask must include for the weight to be
 * what is said.
 */
export function weightOf(expr: ir.Expr, making: Making, assumed: ir.Expr[]): WeightExpr | null {
  const { tables, refuse } = making;
  if (!readsSoftmax(expr, making)) {
    const value = ownLogit(ir.toReal(expr), making);
    return value === null ? null : { kind: "real", value };
  }
  if (isTotal(expr, making)) return refuse("a sum of exponentials that `exp` of the same is not divided by");
  if (expr.kind === "load") {
    const table = tables.at(expr.buffer);
    return table.kind === "softmax" ? normaliserOf(expr, table, making) : refuse("this weight");
  }
  const all = (parts: readonly ir.Expr[]): readonly WeightExpr[] | null => {
    const made = parts.map((part) => weightOf(part, making, assumed));
    return made.every((part) => part !== null) ? made : null;
  };
  const real = (value: number): WeightExpr => ({ kind: "real", value: ir.real(value) });
  if (expr.kind === "select") {
    const when = withoutLogit(expr.condition, making);
    const made = all([expr.then, expr.otherwise]);
    return when === null || made === null
      ? null
      : { kind: "choose", when, then: made[0]!, otherwise: made[1]! };
  }
  if (expr.kind === "unary" && expr.op === "neg") {
    const inner = weightOf(expr.operand, making, assumed);
    return inner === null ? null : { kind: "product", factors: [real(-1), inner] };
  }
  if (expr.kind !== "binary") return refuse("this function of a softmax in `weight`");
  if (expr.op === "div" && terms(expr.right).some((part) => isTotal(part, making))) {
    const made = quotient(expr.left, expr.right, making, assumed);
    const rest = made === null ? null : all(made.rest);
    return made === null || rest === null ? null : { kind: "product", factors: [made.read, ...rest] };
  }
  if (expr.op === "div" && !readsSoftmax(expr.right, making)) {
    const made = all([expr.left, ir.div(ir.real(1), expr.right)]);
    return made === null ? null : { kind: "product", factors: made };
  }
  const made =
    expr.op === "add" || expr.op === "sub" || expr.op === "mul" ? all([expr.left, expr.right]) : null;
  if (made === null)
    return ["add", "sub", "mul"].includes(expr.op) ? null : refuse("this function of a softmax in `weight`");
  const [a, b] = made as [WeightExpr, WeightExpr];
  if (expr.op === "mul") return { kind: "product", factors: [a, b] };
  const second: WeightExpr = expr.op === "add" ? b : { kind: "product", factors: [real(-1), b] };
  return { kind: "sum", terms: [a, second] };
}

/**
 * exp(x) / (r + Σ exp(x) over keys): a softmax with one more term in its denominator, and what else the numerator is
 * multiplied by. null after a refusal.
 */
function quotient(
  above: ir.Expr,
  below: ir.Expr,
  making: Making,
  assumed: ir.Expr[],
): { readonly read: WeightExpr; readonly rest: readonly ir.Expr[] } | null {
  const { tables, refuse } = making;
  const parts = terms(below);
  const [total, ...more] = parts.filter((part) => isTotal(part, making)) as ir.Load[];
  const others = parts.filter((part) => part !== total);
  const { guard, score } = tables.totals.get(total!.buffer)!;
  const [row, head] = total!.indices;
  const over = factors(above);
  const place = over.findIndex((e) => e.kind === "unary" && e.op === "exp" && e.operand === score);
  if (more.length > 0 || row !== q || head !== h || place < 0)
    return refuse("a sum of exponentials that `exp` of the same is not divided by");
  const loose = others.some(
    (e) => isOverPairs(tables, e) || freeIndices(e).has("k") || readsSoftmax(e, making),
  );
  if (loose) return refuse("a denominator that differs by key");
  const own = ownLogit(score, making);
  const when = withoutLogit(guard, making);
  const sink = others.length === 0 ? null : logarithm(simplifyExpr(others.reduce((a, b) => ir.add(a, b))));
  if (own === null || when === null) return null;
  if (sink?.kind === "constant" && !Number.isFinite(sink.value))
    return refuse("a denominator with a term that is not positive");
  assumed.push(when);
  const read: WeightExpr = {
    kind: "normaliser",
    scope: "row",
    at: "self",
    guard: when,
    score: own,
    ...(sink === null ? {} : { sink }),
  };
  return { read, rest: over.filter((_, n) => n !== place) };
}

const logarithm = (e: ir.Expr): ir.Expr =>
  e.kind === "unary" && e.op === "exp"
    ? e.operand
    : e.kind === "constant"
      ? ir.real(Math.log(e.value))
      : ir.unary("log", e);

/** A condition on the pair's indices; null after a refusal. */
const withoutLogit = (condition: ir.Expr, making: Making): ir.Expr | null =>
  isOverPairs(making.tables, condition) ? making.refuse("a condition that reads the logit") : condition;

/** Where in a block a softmax is read: at this key, or at the first or last of its block. */
function readAt(key: ir.Expr): { readonly at: ReadAt; readonly block: number | null } | null {
  if (key === k) return { at: "self", block: null };
  const start = key.kind === "binary" && key.op === "add" ? key.left : key;
  if (start.kind !== "binary" || start.op !== "mul" || start.right.kind !== "constant") return null;
  const size = start.right.value;
  if (start.left !== ir.binary("floor-div", k, ir.int(size))) return null;
  if (key === start) return { at: "first", block: size };
  return key === ir.add(start, ir.int(size - 1)) ? { at: "last", block: size } : null;
}

function normaliserOf(load: ir.Load, table: SoftmaxTable, making: Making): WeightExpr | null {
  const { refuse } = making;
  const [head, query, key] = load.indices as [ir.Expr, ir.Expr, ir.Expr];
  const read = readAt(key);
  if (head !== h || query !== q || read === null) return refuse("a softmax read at another pair in `weight`");
  if (table.block !== null && read.at !== "self")
    return refuse("a softmax inside blocks read at another key in `weight`");
  const guard = withoutLogit(table.guard, making);
  const score = ownLogit(table.score, making);
  if (guard === null || score === null) return null;
  const block = table.block ?? read.block;
  return {
    kind: "normaliser",
    scope: table.block === null ? "row" : "block",
    at: read.at,
    guard,
    score,
    ...(block === null ? {} : { block }),
  };
}

/** The tree with every expression changed. */
export function mapWeightExpr(weight: WeightExpr, change: (e: ir.Expr) => ir.Expr): WeightExpr {
  const inner = (part: WeightExpr): WeightExpr => mapWeightExpr(part, change);
  switch (weight.kind) {
    case "normaliser": {
      const sink = weight.sink === undefined ? {} : { sink: change(weight.sink) };
      return { ...weight, guard: change(weight.guard), score: change(weight.score), ...sink };
    }
    case "real":
      return { ...weight, value: change(weight.value) };
    case "sum":
      return { ...weight, terms: weight.terms.map(inner) };
    case "product":
      return { ...weight, factors: weight.factors.map(inner) };
    case "choose":
      return {
        ...weight,
        when: change(weight.when),
        then: inner(weight.then),
        otherwise: inner(weight.otherwise),
      };
    default:
      return weight satisfies never;
  }
}
