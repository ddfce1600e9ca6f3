/** Evaluates expressions that are known when a spec is checked, and binds arguments to typed parameters. */
import type { Argument, CallExpr, Expr, Parameter } from "../../grammar/ast.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import type { Span } from "../source/span.ts";
import type { Definition, Environment } from "./environment.ts";
import { openBudget, spend, type Budget } from "./budget.ts";
import { findItem, plainCandidates, staticKinds, unknownHelp } from "./find-item.ts";
import { mistake } from "./mistakes.ts";
import { arithmetic, compare, functions, number } from "./static-arithmetic.ts";
import {
  coerce,
  describeItem,
  describeValue,
  didYouMean,
  parametersOf,
  toCount,
  unknown,
} from "./static-types.ts";
import type { MethodValue, NumberValue, StaticValue } from "./static-value.ts";
import { readTableFile } from "./table-files.ts";

export { unknown } from "./static-types.ts";

/** What names mean in a static expression: values first, then the items of the file. */
export interface StaticScope {
  readonly environment: Environment;
  readonly values: ReadonlyMap<string, StaticValue>;
  /** How many definitions enclose this one; guards against definitions that never end. */
  readonly depth?: number;
  /** What is left of the outermost call's budget. */
  readonly budget?: Budget;
}

const deepest = 64;
const bool = (value: boolean): StaticValue => ({ kind: "bool", value });

/** The value of an expression; mistakes are reported and give `unknown`, which silences what follows from it. */
export function evaluateStatic(expr: Expr, scope: StaticScope, reporter: Reporter): StaticValue {
  const evaluate = (e: Expr): StaticValue => evaluateStatic(e, scope, reporter);
  const numberOf = (e: Expr, op: string): NumberValue | null => {
    const value = evaluate(e);
    if (value.kind === "number") return value;
    if (value.kind !== "unknown")
      mistake(reporter, "operand-type", e.span, { op, found: describeValue(value), expected: "a number" });
    return null;
  };
  const boolOf = (e: Expr, op: string): boolean | null => {
    const value = evaluate(e);
    if (value.kind === "bool") return value.value;
    if (value.kind !== "unknown")
      mistake(reporter, "operand-type", e.span, {
        op,
        found: describeValue(value),
        expected: "true or false",
      });
    return null;
  };
  switch (expr.kind) {
    case "number":
      return { kind: "number", value: expr.value, whole: Number.isSafeInteger(expr.value) };
    case "string":
      return { kind: "text", value: expr.value };
    case "error":
      return unknown;
    case "name":
      return evaluateName(expr.name, expr.span, scope, reporter);
    case "tuple":
      return { kind: "tuple", items: expr.elements.map(evaluate) };
    case "member": {
      const base = evaluate(expr.base);
      if (base.kind === "unknown") return unknown;
      const item = base.kind === "tuple" ? base.items[Number(expr.member.text)] : undefined;
      if (item !== undefined) return item;
      mistake(reporter, "operand-type", expr.span, {
        op: `.${expr.member.text}`,
        found: describeValue(base),
        expected: "a tuple with this place",
      });
      return unknown;
    }
    case "unary": {
      if (expr.op === "not") {
        const value = boolOf(expr.operand, "not");
        return value === null ? unknown : bool(!value);
      }
      const value = numberOf(expr.operand, "-");
      return value === null ? unknown : { ...value, value: -value.value };
    }
    case "binary": {
      const left = numberOf(expr.left, expr.op);
      const right = numberOf(expr.right, expr.op);
      if (left === null || right === null) return unknown;
      return arithmetic(expr.op, left, right, expr.span, reporter);
    }
    case "compare":
      return compare(expr.operators, expr.operands, evaluate, reporter);
    case "logic": {
      const left = boolOf(expr.left, expr.op);
      if (left === null) return unknown;
      // Like a choice, the other side is read only when it decides.
      if (left === (expr.op === "or")) return bool(left);
      const right = boolOf(expr.right, expr.op);
      return right === null ? unknown : bool(right);
    }
    case "if": {
      const condition = boolOf(expr.condition, "if");
      return condition === null ? unknown : evaluate(condition ? expr.then : expr.otherwise);
    }
    case "call":
      return evaluateCall(expr, scope, reporter);
    case "index":
    case "membership":
    case "reduction":
    case "at":
      mistake(reporter, "not-static", expr.span, {
        what: expr.kind === "index" ? expr.base.name : expr.kind,
      });
      return unknown;
    default:
      return expr satisfies never;
  }
}

function evaluateName(name: string, span: Span, scope: StaticScope, reporter: Reporter): StaticValue {
  const value = scope.values.get(name);
  if (value !== undefined) return value;
  if (name === "true" || name === "false") return bool(name === "true");
  if (name === "pi") return { kind: "number", value: Math.PI, whole: false };
  const definition = findItem(scope.environment, name, staticKinds);
  if (definition !== undefined) {
    // A module may be named without arguments: whoever places it gives them.
    if (definition.item.kind === "module") return { kind: "method", definition, arguments: new Map(), span };
    const callable = parametersOf(definition) !== null;
    mistake(
      reporter,
      "not-a-value",
      span,
      { name, kind: describeItem(definition) },
      callable ? { help: `write \`${name}(…)\`` } : {},
    );
    return unknown;
  }
  mistake(reporter, "name-unknown", span, { name }, () => {
    const candidates = plainCandidates([...scope.values.keys(), ...scope.environment.names.keys()]);
    return unknownHelp(name, candidates, staticKinds, scope.environment);
  });
  return unknown;
}

function evaluateCall(call: CallExpr, outer: StaticScope, reporter: Reporter): StaticValue {
  const budget = outer.budget ?? openBudget();
  const scope: StaticScope = { ...outer, budget };
  if (call.callee.kind !== "name") {
    mistake(reporter, "not-static", call.span, { what: call.callee.member.text });
    return unknown;
  }
  const name = call.callee.name;
  const preset = scope.values.get(name);
  if (preset?.kind === "unknown") return unknown;
  if (preset?.kind === "method") {
    return bindArguments(preset.definition, call, scope, reporter, preset.arguments) ?? unknown;
  }
  const definition = findItem(scope.environment, name, staticKinds);
  if (definition !== undefined) {
    switch (definition.item.kind) {
      case "attention":
      case "rotation":
      case "module":
      case "adapter":
      case "optimizer":
        return bindArguments(definition, call, scope, reporter) ?? unknown;
      case "function": {
        const bound = bindArguments(definition, call, scope, reporter);
        if (bound === null) return unknown;
        const inner = {
          environment: definition.environment,
          values: bound.arguments,
          depth: (scope.depth ?? 0) + 1,
          budget,
        };
        return evaluateStatic(definition.item.body, inner, reporter);
      }
      default:
        mistake(reporter, "not-a-value", call.span, { name, kind: describeItem(definition) });
        return unknown;
    }
  }
  const [file] = call.arguments;
  // The grammar makes this call of `table "file"` alone.
  if (name === "table" && call.arguments.length === 1 && file!.value.kind === "string")
    return readTableFile(file!.value.value, call.span, scope.environment, reporter) ?? unknown;
  const known = Object.hasOwn(functions, name) ? functions[name]! : null;
  if (known === null) {
    mistake(reporter, "function-unknown", call.callee.span, { name }, () => {
      const candidates = plainCandidates([...Object.keys(functions), ...scope.environment.names.keys()]);
      return unknownHelp(name, candidates, staticKinds, scope.environment);
    });
    return unknown;
  }
  const values = call.arguments.map((argument) => evaluateStatic(argument.value, scope, reporter));
  if (values.some((value) => value.kind === "unknown")) return unknown;
  const numbers = values.filter((value) => value.kind === "number");
  if (values.length !== known.arity) {
    mistake(reporter, "argument-count", call.span, {
      callee: name,
      count: known.arity,
      parameters: "numbers",
    });
    return unknown;
  }
  if (numbers.length !== values.length) {
    const wrong = values.findIndex((value) => value.kind !== "number");
    const found = describeValue(values[wrong]!);
    mistake(reporter, "operand-type", call.arguments[wrong]!.value.span, {
      op: name,
      found,
      expected: "a number",
    });
    return unknown;
  }
  const whole = known.whole === "makes" || (known.whole === "keeps" && numbers.every((value) => value.whole));
  return number(known.apply(...numbers.map((value) => value.value)), whole, call.span, reporter);
}

/** How arguments are called where they are written: `f(x: 1)` or `x 1` in a model. */
export type ArgumentForm = "argument" | "setting";

/**
 * Binds the arguments of a call: by name or in order, then defaults, which may read earlier parameters.
 * `presets` are values given before (a module passed as a value). null after a reported mistake.
 */
export function bindArguments(
  definition: Definition,
  call: { readonly arguments: readonly Argument[]; readonly span: Span },
  scope: StaticScope,
  reporter: Reporter,
  presets: ReadonlyMap<string, StaticValue> = new Map(),
  form: ArgumentForm = "argument",
): MethodValue | null {
  const callee = definition.name;
  const parameters = parametersOf(definition) ?? [];
  if ((scope.depth ?? 0) > deepest) {
    mistake(reporter, "definition-too-deep", call.span, { name: callee });
    return null;
  }
  const budget = scope.budget ?? openBudget();
  if (!spend(budget, call.span, reporter)) return null;
  const listed = parameters.map((p) => p.name.text).join(", ") || "none";
  const given = new Map<string, Argument>();
  let ok = true;
  let misnamed = false;
  let named = false;
  for (const [n, argument] of call.arguments.entries()) {
    if (argument.name === null && named) {
      mistake(reporter, "argument-order", argument.value.span);
      misnamed = true;
      ok = false;
      continue;
    }
    named ||= argument.name !== null;
    const parameter =
      argument.name === null ? parameters[n] : parameters.find((p) => p.name.text === argument.name!.text);
    if (parameter === undefined) {
      ok = false;
      if (argument.name === null) {
        const holes = { callee, count: parameters.length, parameters: listed };
        mistake(reporter, "argument-count", argument.value.span, holes);
      } else {
        const name = argument.name.text;
        misnamed = true;
        const near = didYouMean(
          name,
          parameters.map((p) => p.name.text),
        );
        mistake(reporter, `${form}-unknown`, argument.name.span, { callee, name, parameters: listed }, near);
      }
      continue;
    }
    const first = given.get(parameter.name.text);
    if (first !== undefined) {
      ok = false;
      const secondary = [{ span: first.name?.span ?? first.value.span, label: "first here" }];
      const span = argument.name?.span ?? argument.value.span;
      mistake(reporter, `${form}-repeated`, span, { name: parameter.name.text }, { secondary });
      continue;
    }
    given.set(parameter.name.text, argument);
  }
  const values = new Map<string, StaticValue>();
  const depth = (scope.depth ?? 0) + 1;
  for (const parameter of parameters) {
    const name = parameter.name.text;
    const argument = given.get(name);
    let value: StaticValue;
    if (argument !== undefined) {
      value = coerce(
        evaluateStatic(argument.value, { ...scope, depth, budget }, reporter),
        parameter,
        argument.value,
        reporter,
      );
    } else if (presets.has(name)) {
      value = presets.get(name)!;
    } else if (parameter.value !== null) {
      const inner = { environment: definition.environment, values, depth, budget };
      value = coerce(evaluateStatic(parameter.value, inner, reporter), parameter, parameter.value, reporter);
    } else {
      // A misspelt or misplaced argument was reported: it is most likely this one.
      if (!misnamed) mistake(reporter, `${form}-missing`, call.span, { callee, name });
      value = unknown;
    }
    if (value.kind === "unknown") ok = false;
    values.set(name, value);
  }
  return ok ? { kind: "method", definition, arguments: values, span: call.span } : null;
}

/** A static expression that must be a count (an axis size, a number of repeats); null after a report. */
export function evaluateCount(
  expr: Expr,
  name: string,
  scope: StaticScope,
  reporter: Reporter,
): number | null {
  const value = evaluateStatic(expr, scope, reporter);
  if (value.kind === "unknown") return null;
  if (value.kind !== "number") {
    mistake(reporter, "argument-type", expr.span, {
      name,
      expected: "a whole number",
      found: describeValue(value),
    });
    return null;
  }
  const count = toCount(value, name, expr, reporter);
  return count.kind === "number" ? count.value : null;
}
