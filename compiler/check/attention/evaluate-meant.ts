/** Evaluates expressions of attentions, masks, scores and rotations to scalar expressions. */
import type { CallExpr, Expr, Parameter } from "../../../grammar/ast.ts";
import type { AttentionBuffer } from "../../ir/attention-meaning.ts";
import * as ir from "../../ir/expr.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Span } from "../../source/span.ts";
import type { Definition } from "../environment.ts";
import { spend, type Budget } from "../budget.ts";
import { expressionKinds, findItem } from "../find-item.ts";
import { mistake } from "../mistakes.ts";
import { evaluateStatic } from "../static.ts";
import type { StaticValue } from "../static-value.ts";
import {
  binaryMeant,
  chooseMeant,
  compareMeant,
  functionMeant,
  isScalarFunction,
  logicMeant,
  negativeMeant,
  notMeant,
  sameBlocks,
} from "./meant-operators.ts";
import { blockEnd, membership, offsetInBlock } from "./meant-blocks.ts";
import { evaluateReduction } from "./meant-reductions.ts";
import { evaluateRope } from "./meant-rotation.ts";
import { axisNames, exprOf, numberOf, scalar, staticBool, staticNumber } from "./meant.ts";
import type { Meant, MeantScope, TableMeant } from "./meant.ts";
import type { Tables } from "./tables.ts";

/** What one phase's expressions are worked out with. */
export interface Elaboration {
  readonly reporter: Reporter;
  /** Number of a buffer among those that expressions load. */
  readonly buffer: (what: AttentionBuffer) => number;
  /** Tables of the attention; null where there are none, as in a rotation. */
  readonly tables: Tables | null;
  /** Notes what no target runs yet. */
  readonly unsupported: (what: string, span: Span) => void;
  /** Whether a position compared with a count is counted within its document. */
  readonly byDocument: boolean;
  /** What all expressions together may cost. */
  readonly budget: Budget;
}

const deepest = 64;
const learned: Readonly<Record<string, string>> = {
  Q: "queries read outside the logit",
  K: "keys read outside the logit",
  V: "values read outside the output",
};

/** The meaning of an expression; null after a report or a note of what is not supported. */
export function evaluateMeant(expr: Expr, scope: MeantScope, run: Elaboration): Meant | null {
  const evaluate = (e: Expr): Meant | null => evaluateMeant(e, scope, run);
  if (!spend(run.budget, expr.span, run.reporter)) return null;
  const refuse = (what: string): null => {
    run.unsupported(what, expr.span);
    return null;
  };
  switch (expr.kind) {
    case "number":
      return staticNumber(expr.value, Number.isSafeInteger(expr.value));
    case "string":
      return { kind: "static", value: { kind: "text", value: expr.value } };
    case "error":
      return null;
    case "name":
      return evaluateName(expr.name, expr.span, scope, run);
    case "index":
      return evaluateIndex(expr.base.name, expr.indices, expr.span, scope, run);
    case "call":
      return evaluateCall(expr, scope, run);
    case "member": {
      const value = evaluateStatic(
        expr,
        { environment: scope.definition.environment, values: statics(scope) },
        run.reporter,
      );
      return value.kind === "unknown" ? null : { kind: "static", value };
    }
    case "tuple": {
      const items = expr.elements.map(evaluate);
      const values = items.flatMap((item) => (item?.kind === "static" ? [item.value] : []));
      return values.length === items.length
        ? { kind: "static", value: { kind: "tuple", items: values } }
        : null;
    }
    case "unary": {
      const value = evaluate(expr.operand);
      if (value === null) return null;
      return (expr.op === "not" ? notMeant(value) : negativeMeant(value)) ?? refuse("this operation");
    }
    case "binary": {
      const left = evaluate(expr.left);
      const right = evaluate(expr.right);
      if (left === null || right === null) return null;
      const adds = expr.op === "+" || expr.op === "-";
      if (adds && !sameBlocks(left, right, expr.span, run.reporter)) return null;
      return binaryMeant(expr.op, left, right, expr.span, run.reporter) ?? refuse("this operation");
    }
    case "compare": {
      const operands = expr.operands.map(evaluate);
      let result: Meant | null = staticBool(true);
      for (const [n, op] of expr.operators.entries()) {
        const [left, right] = [operands[n], operands[n + 1]];
        if (!left || !right || result === null) return null;
        if (!sameBlocks(left, right, expr.span, run.reporter)) return null;
        const one: Meant | null = compareMeant(op, left, right, (meant) => counted(meant, run));
        result = one === null ? refuse("this comparison") : logicMeant("and", result, one);
      }
      return result;
    }
    case "logic": {
      const left = evaluate(expr.left);
      const right = evaluate(expr.right);
      if (left === null || right === null) return null;
      return logicMeant(expr.op, left, right) ?? refuse("this operation");
    }
    case "if": {
      const condition = evaluate(expr.condition);
      if (condition === null) return null;
      const chosen = chooseMeant(
        condition,
        () => evaluate(expr.then),
        () => evaluate(expr.otherwise),
      );
      return chosen ?? refuse("this choice");
    }
    case "membership":
      return membership(expr, "member", scope, run, evaluate);
    case "reduction":
      return evaluateReduction(expr, scope, run, (e, within) => evaluateMeant(e, within, run));
    case "at":
      return refuse("a rotation of a table");
    default:
      return expr satisfies never;
  }
}

/** Names with values known now, for the evaluator of static expressions. */
function statics(scope: MeantScope): ReadonlyMap<string, StaticValue> {
  const values = new Map<string, StaticValue>();
  for (const [name, meant] of scope.names) if (meant.kind === "static") values.set(name, meant.value);
  return values;
}

/** A position as its number within its document, where documents matter. */
function counted(meant: Meant, run: Elaboration): Meant {
  if (!run.byDocument || meant.kind !== "scalar" || meant.position === null) return meant;
  const start = ir.load(run.buffer({ kind: "starts" }), [meant.position], "int");
  return scalar(ir.sub(meant.expr, start));
}

function evaluateName(name: string, span: Span, scope: MeantScope, run: Elaboration): Meant | null {
  const known = scope.names.get(name);
  if (known?.kind === "table") {
    // A table named alone stands for its element at the indices in scope.
    const indices = known.axes.map((axis) => scope.names.get(axis));
    return indices.every((at) => at !== undefined) ? known.at(indices) : known;
  }
  if (known !== undefined) return known;
  if (name === "true" || name === "false") return staticBool(name === "true");
  if (name === "pi") return staticNumber(Math.PI, false);
  if (Object.hasOwn(learned, name)) {
    run.unsupported(learned[name]!, span);
    return null;
  }
  const definition = findItem(scope.definition.environment, name, expressionKinds);
  if (definition !== undefined) return applyItem(definition, [], span, scope, run);
  return null;
}

function evaluateIndex(
  name: string,
  given: readonly Expr[],
  span: Span,
  scope: MeantScope,
  run: Elaboration,
): Meant | null {
  const indices = given.map((index) => evaluateMeant(index, scope, run));
  if (name === "document" && !scope.names.has(name)) {
    const at = indices[0] === undefined || indices[0] === null ? null : exprOf(indices[0]);
    return at === null ? null : scalar(ir.load(run.buffer({ kind: "documents" }), [at], "int"));
  }
  const known = scope.names.get(name);
  if (known?.kind === "table") {
    if (indices.some((index) => index === null)) return null;
    return known.at(indices as Meant[]);
  }
  if (name === "s" && known !== undefined) {
    // After a score: of this very pair, the canonical indices written out.
    const same = ["h", "q", "k"].every((axis, n) => {
      const index = given[n];
      return index?.kind === "name" && index.name === axis;
    });
    if (same) return known;
    run.unsupported("the logit of another pair", span);
    return null;
  }
  run.unsupported(learned[name] ?? `the table \`${name}\``, span);
  return null;
}

/** A whole number that must be known: a block's size. */
function wholeNumber(
  expr: Expr,
  name: string,
  least: number,
  scope: MeantScope,
  run: Elaboration,
): number | null {
  const meant = evaluateMeant(expr, scope, run);
  if (meant === null) return null;
  const value = numberOf(meant);
  if (value === null) {
    mistake(run.reporter, "not-static", expr.span, { what: name });
    return null;
  }
  if (!value.whole || value.value < least) {
    const help = value.whole ? `it must be at least ${least}` : "choose numbers that divide evenly";
    mistake(run.reporter, "count-not-whole", expr.span, { name, value: value.value }, { help });
    return null;
  }
  return value.value;
}

function evaluateCall(call: CallExpr, scope: MeantScope, run: Elaboration): Meant | null {
  if (call.callee.kind !== "name") return null;
  const name = call.callee.name;
  const given = call.arguments.map((argument) => argument.value);
  const within = (e: Expr): Meant | null => evaluateMeant(e, scope, run);
  const local = scope.names.get(name);
  if (local?.kind === "domain") {
    const x = given[0] === undefined ? null : evaluateMeant(given[0], scope, run);
    const at = x === null ? null : exprOf(x);
    if (at === null || at.type !== "int") return null;
    return scalar(ir.binary("floor-div", at, ir.int(local.size)), null, local.size);
  }
  if (local?.kind === "let-function") {
    const inner = new Map(local.scope().names);
    for (const [n, parameter] of local.parameters.entries()) {
      const value = given[n] === undefined ? null : evaluateMeant(given[n], scope, run);
      if (value === null) return null;
      inner.set(parameter.text, value);
    }
    if (scope.depth > deepest) return null;
    return evaluateMeant(local.body, { ...local.scope(), names: inner, depth: scope.depth + 1 }, run);
  }
  if (local?.kind === "item") return applyItem(local.definition, call.arguments, call.span, scope, run);
  switch (name) {
    case "block": {
      const x = given[0] === undefined ? null : evaluateMeant(given[0], scope, run);
      const size = given[1] === undefined ? null : wholeNumber(given[1], "block size", 1, scope, run);
      const at = x === null ? null : exprOf(x);
      if (at === null || size === null || at.type !== "int") return null;
      const known = numberOf(x!);
      if (known !== null) return staticNumber(Math.floor(known.value / size), true);
      return scalar(ir.binary("floor-div", at, ir.int(size)), null, size);
    }
    case "first":
    case "last":
      return blockEnd(name, given[0], scope, run, within);
    case "offset":
      return offsetInBlock(given[0], scope, within);
    case "ordinal": {
      const x = given[0] === undefined ? null : evaluateMeant(given[0], scope, run);
      if (x === null || x.kind === "static") return x;
      const at = exprOf(x);
      return at === null ? null : scalar(at);
    }
    case "rank":
      return given[0]?.kind === "membership" ? membership(given[0], "rank", scope, run, within) : null;
    case "rope": {
      if (given[0]?.kind !== "at") return null;
      return evaluateRope(given[0], scope, run, (e, within) => evaluateMeant(e, within, run));
    }
    default: {
      const definition = findItem(scope.definition.environment, name, expressionKinds);
      if (definition !== undefined) return applyItem(definition, call.arguments, call.span, scope, run);
      if (!isScalarFunction(name) && name !== "erf") return null;
      const values = given.map((e) => evaluateMeant(e, scope, run));
      if (values.some((value) => value === null)) return null;
      const result = functionMeant(name, values as Meant[]);
      if (result === null) run.unsupported(`this call of \`${name}\``, call.span);
      return result;
    }
  }
}

/** A mask, score or function with arguments: its body where it is used. */
function applyItem(
  definition: Definition,
  given: CallExpr["arguments"],
  span: Span,
  scope: MeantScope,
  run: Elaboration,
): Meant | null {
  const { item } = definition;
  if (item.kind !== "mask" && item.kind !== "score" && item.kind !== "function") return null;
  if (scope.depth > deepest) {
    mistake(run.reporter, "definition-too-deep", span, { name: definition.name });
    return null;
  }
  const names = new Map<string, Meant>();
  // Positions, heads and the logit are those of the caller.
  for (const name of item.kind === "function" ? [] : ["q", "k", "h", "s", "length", "heads", "kv_heads"]) {
    const value = scope.names.get(name);
    if (value !== undefined && (name !== "s" || item.kind === "score")) names.set(name, value);
  }
  const inner: MeantScope = { definition, names, depth: scope.depth + 1 };
  for (const [n, parameter] of item.parameters.entries()) {
    const named = given.find((argument) => argument.name?.text === parameter.name.text);
    const argument = named ?? (given[n]?.name === null ? given[n] : undefined);
    const source = argument?.value ?? parameter.value;
    if (source === null) return null;
    const value = argumentMeant(parameter, source, argument === undefined ? inner : scope, run);
    if (value === null) return null;
    names.set(parameter.name.text, value);
  }
  return evaluateMeant(item.body, inner, run);
}

/** The meaning of an argument; a table parameter takes a table as a whole. */
function argumentMeant(
  parameter: Parameter,
  source: Expr,
  scope: MeantScope,
  run: Elaboration,
): Meant | null {
  if (parameter.axes.length === 0) return evaluateMeant(source, scope, run);
  const axes = axisNames(parameter.axes);
  const table = source.kind === "name" ? scope.names.get(source.name) : undefined;
  if (table?.kind !== "table") {
    // A number or expression serves as a table that is the same everywhere.
    const value = evaluateMeant(source, scope, run);
    return value === null ? null : { kind: "table", axes, at: () => value };
  }
  return reorder(table, axes);
}

/** The same table under a parameter's axis names: by name where they agree, else by place. */
function reorder(table: TableMeant, axes: readonly string[]): TableMeant {
  const byName = table.axes.every((axis) => axes.includes(axis));
  if (!byName) return { kind: "table", axes, at: table.at };
  return {
    kind: "table",
    axes,
    at: (indices) => table.at(table.axes.map((axis) => indices[axes.indexOf(axis)]!)),
  };
}
