/** Reads calls in bodies: functions, children, attentions and the operations of the language. */
import type { CallExpr } from "../../../grammar/ast.ts";
import * as ir from "../../ir/expr.ts";
import { openBudget, spend } from "../budget.ts";
import { findItem, plainCandidates, unknownHelp } from "../find-item.ts";
import { mistake } from "../mistakes.ts";
import { evaluateStatic } from "../static.ts";
import { describeValue } from "../static-types.ts";
import { mergeAxes } from "./body-lets.ts";
import {
  deepest,
  dotted,
  placeOf,
  refuse,
  staticScope,
  typed,
  type Binding,
  type BodyScope,
} from "./body-scope.ts";
import { combine, mapValue, plainValue, type Value } from "./value.ts";

const unaries: Readonly<Record<string, ir.UnaryOp>> = {
  exp: "exp",
  log: "log",
  sqrt: "sqrt",
  tanh: "tanh",
  sigmoid: "sigmoid",
  erf: "erf",
  sin: "sin",
  cos: "cos",
  abs: "abs",
  floor: "floor",
  ceil: "ceil",
  sign: "sign",
};

/** The value of a call; null after a report. */
export function evaluateCall(call: CallExpr, outer: BodyScope): Value | null {
  const { reporter } = outer;
  const budget = outer.budget ?? openBudget();
  const scope: BodyScope = { ...outer, budget };
  if (!spend(budget, call.span, reporter)) return null;
  const name = dotted(call.callee);
  const place = placeOf(scope, call.span);
  if (scope.depth > deepest) {
    mistake(reporter, "definition-too-deep", call.span, { name });
    return null;
  }
  const argumentsOf = (): (Value | null)[] =>
    call.arguments.map((argument) => scope.evaluate(argument.value, scope));
  const wrongCount = (count: number): null => {
    mistake(reporter, "argument-count", call.span, { callee: name, count, parameters: `${count}` });
    return null;
  };
  const local = scope.bindings.get(name);
  if (local?.kind === "failed") return null;
  if (local?.kind === "function") {
    if (local.parameters.length !== call.arguments.length) return wrongCount(local.parameters.length);
    const bindings = new Map(scope.bindings);
    for (const [n, value] of argumentsOf().entries())
      bindings.set(local.parameters[n]!, value === null ? { kind: "failed" } : { kind: "value", value });
    return scope.evaluate(local.body, { ...scope, bindings, depth: scope.depth + 1 });
  }
  const method = scope.statics.get(name);
  if (method?.kind === "unknown") return null;
  if (method?.kind === "method" && method.definition.item.kind === "attention")
    return scope.calls.attention(method, call, scope);
  if (name === "merge")
    return mergeAxes(
      call.arguments.map((argument) => argument.value),
      call.span,
      scope,
    );
  if (name === "split") return refuse(scope, call.span, "split without a `let`");
  if (name === "ordinal") {
    const index = call.arguments.length === 1 ? call.arguments[0]!.value : null;
    const size = index?.kind === "name" ? scope.axes.get(index.name) : undefined;
    if (index?.kind !== "name" || size === undefined) return refuse(scope, call.span, "ordinal of this");
    return plainValue(ir.toReal(ir.index(index.name)), [{ name: index.name, size }]);
  }
  if (name === "dropout") return evaluateDropout(call, scope);
  const definition =
    call.callee.kind === "name" ? findItem(scope.environment, name, ["function"]) : undefined;
  if (definition?.item.kind === "function") {
    const parameters = definition.item.parameters;
    if (parameters.length !== call.arguments.length) return wrongCount(parameters.length);
    const bindings = new Map<string, Binding>();
    for (const [n, value] of argumentsOf().entries()) {
      const argument = call.arguments[n]!.name?.text;
      const parameter =
        argument === undefined ? parameters[n] : parameters.find((p) => p.name.text === argument);
      if (parameter === undefined) {
        const listed = parameters.map((p) => p.name.text).join(", ");
        mistake(reporter, "argument-unknown", call.span, {
          callee: name,
          name: argument!,
          parameters: listed,
        });
        return null;
      }
      bindings.set(parameter.name.text, value === null ? { kind: "failed" } : { kind: "value", value });
    }
    const inner = {
      ...scope,
      environment: definition.environment,
      statics: new Map(),
      bindings,
      depth: scope.depth + 1,
    };
    return scope.evaluate(definition.item.body, inner);
  }
  if (Object.hasOwn(unaries, name) || name === "min" || name === "max") {
    const values = argumentsOf();
    const arity = Object.hasOwn(unaries, name) ? 1 : 2;
    if (values.length !== arity) return wrongCount(arity);
    const [a, b] = values;
    if (a === null || a === undefined || b === null) return null;
    if (!values.every((value, n) => typed(value!, "real", name, call.arguments[n]!.value, scope)))
      return null;
    if (b === undefined) return mapValue(a, (e) => ir.toReal(ir.unary(unaries[name]!, e)));
    return combine(a, b, (x, y) => ir.binary(name as "min" | "max", x, y), place, reporter);
  }
  const child = scope.calls.child(name, call, argumentsOf());
  if (child === "failed") return null;
  if (child !== null) return child;
  mistake(reporter, "function-unknown", call.callee.span, { name }, () => {
    const candidates = [...Object.keys(unaries), "min", "max", "dropout", ...scope.environment.names.keys()];
    return unknownHelp(name, plainCandidates(candidates), ["function", "module"], scope.environment);
  });
  return null;
}

function evaluateDropout(call: CallExpr, scope: BodyScope): Value | null {
  const { reporter } = scope;
  const [input, rate] = call.arguments;
  if (input === undefined || rate === undefined || call.arguments.length !== 2) {
    mistake(reporter, "argument-count", call.span, { callee: "dropout", count: 2, parameters: "x, rate" });
    return null;
  }
  const value = scope.evaluate(input.value, scope);
  const share = evaluateStatic(rate.value, staticScope(scope), reporter);
  if (value === null || share.kind === "unknown") return null;
  if (share.kind !== "number" || share.value < 0 || share.value >= 1) {
    const found = share.kind === "number" ? share.value : describeValue(share);
    mistake(reporter, "value-out-of-range", rate.value.span, {
      name: "rate",
      expected: "from 0 to below 1",
      value: found,
    });
    return null;
  }
  return share.value === 0 ? value : scope.calls.dropout(value, share.value, call.span);
}
