/** Reads an `optimizer` item with its arguments to an UpdateRule over one element of a weight. */
import type { Expr as Ast, OptimizerItem } from "../../grammar/ast.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Environment } from "./environment.ts";
import { openBudget, spend, type Budget } from "./budget.ts";
import { findItem, plainCandidates, unknownHelp } from "./find-item.ts";
import { mistake } from "./mistakes.ts";
import { describeValue } from "./static-types.ts";
import type { MethodValue, StaticValue } from "./static-value.ts";
import * as ir from "../ir/expr.ts";
import type { UpdateRule } from "../ir/graph.ts";

interface Scope {
  readonly environment: Environment;
  readonly values: ReadonlyMap<string, StaticValue>;
  readonly names: ReadonlyMap<string, ir.Expr>;
  readonly reporter: Reporter;
  readonly depth: number;
  readonly budget: Budget;
}

const unaries: Readonly<Record<string, ir.UnaryOp>> = {
  sqrt: "sqrt",
  exp: "exp",
  log: "log",
  tanh: "tanh",
  sigmoid: "sigmoid",
  sin: "sin",
  cos: "cos",
  abs: "abs",
  sign: "sign",
  floor: "floor",
  ceil: "ceil",
};

/**
 * The rule of an optimizer. Clauses are read from top to bottom: a state's name means its old value before its own
 * clause and the new one after it. null after a report.
 */
export function readOptimizer(value: MethodValue, reporter: Reporter): UpdateRule | null {
  const item = value.definition.item;
  if (item.kind !== "optimizer") {
    mistake(reporter, "optimizer-unknown", value.span, { name: value.definition.name });
    return null;
  }
  const name = value.definition.name;
  if (!item.parameters.some((parameter) => parameter.name.text === "lr")) {
    mistake(reporter, "optimizer-without-lr", item.name.span, { name });
    return null;
  }
  const updates = item.clauses.filter((clause) => clause.kind === "update");
  if (updates.length !== 1) {
    mistake(reporter, "optimizer-without-update", item.name.span, { name, found: updates.length });
    return null;
  }
  return readClauses(item, value, reporter);
}

function readClauses(item: OptimizerItem, value: MethodValue, reporter: Reporter): UpdateRule | null {
  const states = item.clauses.filter((clause) => clause.kind === "state");
  const names = new Map<string, ir.Expr>([
    ["w", ir.operand(0)],
    ["g", ir.operand(1)],
    ["step", ir.scalar("step")],
    ["lr", ir.scalar("lr")],
    ...states.map((state, n): [string, ir.Expr] => [state.name.text, ir.operand(2 + n)]),
  ]);
  const values = new Map([...value.arguments].filter(([name]) => name !== "lr"));
  const scope: Scope = {
    environment: value.definition.environment,
    values,
    names,
    reporter,
    depth: 0,
    budget: openBudget(),
  };
  const news = new Map<string, ir.Expr>();
  let weight: ir.Expr | null = null;
  const taken = new Set(["w", "g", "step", ...value.arguments.keys()]);
  for (const clause of item.clauses) {
    if (clause.kind !== "update") {
      const own = clause.name.text;
      if (taken.has(own)) {
        mistake(reporter, "name-repeated", clause.name.span, { name: own });
        return null;
      }
      taken.add(own);
    }
    const read = number(clause.value, scope);
    if (read === null) return null;
    if (clause.kind === "update") weight = read;
    else {
      names.set(clause.name.text, read);
      if (clause.kind === "state") news.set(clause.name.text, read);
    }
  }
  if (weight === null) return null;
  return {
    states: states.map((state) => ({ name: state.name.text, value: news.get(state.name.text)! })),
    weight,
  };
}

/** A real-valued expression; null after a report. */
function number(expr: Ast, scope: Scope): ir.Expr | null {
  const read = element(expr, scope);
  if (read === null || read.type !== "bool") return read === null ? null : ir.toReal(read);
  mistake(scope.reporter, "value-not-real", expr.span);
  return null;
}

function truth(expr: Ast, scope: Scope): ir.Expr | null {
  const read = element(expr, scope);
  if (read === null || read.type === "bool") return read;
  mistake(scope.reporter, "operand-type", expr.span, {
    op: "if",
    found: "a number",
    expected: "true or false",
  });
  return null;
}

function refuse(expr: Ast, what: string, scope: Scope): null {
  mistake(scope.reporter, "optimizer-expression", expr.span, { what });
  return null;
}

function element(expr: Ast, scope: Scope): ir.Expr | null {
  switch (expr.kind) {
    case "number":
      return ir.real(expr.value);
    case "error":
      return null;
    case "name":
      return name(expr.name, expr, scope);
    case "member": {
      const base = expr.base.kind === "name" ? scope.values.get(expr.base.name) : undefined;
      const item = base?.kind === "tuple" ? base.items[Number(expr.member.text)] : undefined;
      return item?.kind === "number" ? ir.real(item.value) : refuse(expr, `.${expr.member.text}`, scope);
    }
    case "unary": {
      const operand = expr.op === "not" ? truth(expr.operand, scope) : number(expr.operand, scope);
      return operand === null ? null : expr.op === "not" ? ir.not(operand) : ir.neg(operand);
    }
    case "binary": {
      const a = number(expr.left, scope);
      const b = number(expr.right, scope);
      return a === null || b === null ? null : binaries[expr.op](a, b);
    }
    case "compare": {
      const operands = expr.operands.map((operand) => number(operand, scope));
      let all: ir.Expr | null = null;
      for (const [n, op] of expr.operators.entries()) {
        const a = operands[n];
        const b = operands[n + 1];
        if (!a || !b) return null;
        all = all === null ? comparisons[op](a, b) : ir.and(all, comparisons[op](a, b));
      }
      return all;
    }
    case "logic": {
      const a = truth(expr.left, scope);
      const b = truth(expr.right, scope);
      return a === null || b === null ? null : expr.op === "and" ? ir.and(a, b) : ir.or(a, b);
    }
    case "if": {
      const condition = truth(expr.condition, scope);
      const then = element(expr.then, scope);
      const otherwise = element(expr.otherwise, scope);
      if (condition === null || then === null || otherwise === null) return null;
      if ((then.type === "bool") !== (otherwise.type === "bool"))
        return refuse(expr, "a choice of two kinds", scope);
      return ir.select(condition, then, otherwise);
    }
    case "call":
      return call(expr, scope);
    case "string":
    case "index":
    case "membership":
    case "reduction":
    case "tuple":
    case "at":
      return refuse(expr, expr.kind === "reduction" ? expr.op : expr.kind, scope);
    default:
      return expr satisfies never;
  }
}

const binaries: Readonly<Record<"+" | "-" | "*" | "/" | "%" | "^", (a: ir.Expr, b: ir.Expr) => ir.Expr>> = {
  "+": ir.add,
  "-": ir.sub,
  "*": ir.mul,
  "/": ir.div,
  "%": (a, b) => ir.sub(a, ir.mul(b, ir.toReal(ir.unary("floor", ir.div(a, b))))),
  "^": (a, b) => ir.binary("pow", a, b),
};

const comparisons: Readonly<
  Record<"<" | "<=" | ">" | ">=" | "==" | "!=", (a: ir.Expr, b: ir.Expr) => ir.Expr>
> = {
  "<": ir.lt,
  "<=": ir.le,
  ">": (a, b) => ir.lt(b, a),
  ">=": (a, b) => ir.le(b, a),
  "==": ir.eq,
  "!=": (a, b) => ir.not(ir.eq(a, b)),
};

function name(text: string, expr: Ast, scope: Scope): ir.Expr | null {
  const known = scope.names.get(text);
  if (known !== undefined) return known;
  const value = scope.values.get(text);
  if (value?.kind === "number") return ir.real(value.value);
  if (value?.kind === "bool") return ir.bool(value.value);
  if (value?.kind === "unknown") return null;
  if (value !== undefined) return refuse(expr, describeValue(value), scope);
  if (text === "true" || text === "false") return ir.bool(text === "true");
  if (text === "pi") return ir.real(Math.PI);
  mistake(scope.reporter, "name-unknown", expr.span, { name: text }, () => {
    const candidates = [...scope.names.keys(), ...scope.values.keys()];
    return unknownHelp(text, plainCandidates(candidates), ["function"], scope.environment);
  });
  return null;
}

function call(expr: Extract<Ast, { kind: "call" }>, scope: Scope): ir.Expr | null {
  const callee = expr.callee.kind === "name" ? expr.callee.name : expr.callee.member.text;
  if (!spend(scope.budget, expr.span, scope.reporter)) return null;
  if (scope.depth > 64) return refuse(expr, `${callee} inside itself`, scope);
  const given = expr.arguments.map((argument) => number(argument.value, scope));
  if (given.includes(null)) return null;
  const values = given as ir.Expr[];
  const wrongCount = (count: number): null => {
    mistake(scope.reporter, "argument-count", expr.span, { callee, count, parameters: "numbers" });
    return null;
  };
  const definition = findItem(scope.environment, callee, ["function"]);
  if (definition?.item.kind === "function") {
    const { parameters, body } = definition.item;
    if (parameters.length !== values.length) return wrongCount(parameters.length);
    const names = new Map(parameters.map((parameter, n) => [parameter.name.text, values[n]!]));
    const { environment } = definition;
    return element(body, {
      environment,
      values: new Map(),
      names,
      reporter: scope.reporter,
      depth: scope.depth + 1,
      budget: scope.budget,
    });
  }
  if (callee === "min" || callee === "max")
    return values.length === 2 ? ir.binary(callee, values[0]!, values[1]!) : wrongCount(2);
  if (!Object.hasOwn(unaries, callee)) {
    const candidates = [...Object.keys(unaries), "min", "max"];
    mistake(
      scope.reporter,
      "function-unknown",
      expr.callee.span,
      { name: callee },
      unknownHelp(callee, plainCandidates(candidates), ["function"], scope.environment),
    );
    return null;
  }
  return values.length === 1 ? ir.toReal(ir.unary(unaries[callee]!, values[0]!)) : wrongCount(1);
}
