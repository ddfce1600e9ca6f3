/** Types of calls: maps into blocks, functions of numbers, `let` functions, and masks, scores and functions of files. */
import type { Argument, CallExpr, Expr, FunctionItem, MaskItem, ScoreItem } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Definition } from "../environment.ts";
import { expressionKinds, findItem } from "../find-item.ts";
import { mistake } from "../mistakes.ts";
import { describeItem, didYouMean } from "../static-types.ts";
import { blockSize } from "./block-size.ts";
import type { Inference } from "./infer.ts";
import { itemScope, parameterSort } from "./item-scope.ts";
import { showAst } from "./show-ast.ts";
import {
  describeType,
  joinTypes,
  plainType,
  stopGradient,
  unknownType,
  type Entity,
  type Sort,
  type Type,
  type TypeScope,
} from "./types.ts";

const deepest = 64;
/** Functions of numbers: how many arguments. */
const arities: Readonly<Record<string, number>> = {
  sqrt: 1,
  exp: 1,
  log: 1,
  sin: 1,
  cos: 1,
  tanh: 1,
  sigmoid: 1,
  erf: 1,
  floor: 1,
  ceil: 1,
  abs: 1,
  sign: 1,
  min: 2,
  max: 2,
};

export function inferCall(call: CallExpr, scope: TypeScope, tools: Inference): Type {
  const { reporter } = tools;
  if (call.callee.kind !== "name") {
    for (const argument of call.arguments) tools.infer(argument.value, scope);
    return tools.nameUnknown(showAst(call.callee), call.callee.span, scope, "function");
  }
  const name = call.callee.name;
  const local = scope.names.get(name);
  if (local !== undefined) return inferLocal(call, name, local, scope, tools);
  const own = Object.hasOwn(special, name) ? special[name]! : null;
  if (own !== null) return own(call, scope, tools);
  if (name === "split" || name === "merge") {
    reporter.add(messages.notInAttention({ what: name }, call.callee.span));
    return unknownType;
  }
  const definition = findItem(scope.definition.environment, name, expressionKinds);
  if (definition !== undefined) return inferItem(definition, call, scope, tools);
  if (!Object.hasOwn(arities, name)) {
    for (const argument of call.arguments) tools.infer(argument.value, scope);
    return tools.nameUnknown(name, call.callee.span, scope, "function");
  }
  const given = call.arguments.map((argument) => tools.infer(argument.value, scope));
  if (!checkCount(call, name, arities[name]!, tools)) return unknownType;
  if (given.some((type) => type.sort === "unknown")) return joinTypes("unknown", given);
  if (name === "min" || name === "max") return inferBetween(call, given[0]!, given[1]!, tools);
  const [type] = given as [Type];
  const counts = type.sort === "number" || type.sort === "offset" || type.sort === "block-offset";
  if (!counts) {
    const argument = call.arguments[0]!.value;
    if (type.sort === "bool" || type.sort === "text" || type.sort === "tuple")
      reporter.add(messages.numberNeeded({ found: describeType(type), op: name }, argument.span));
    else {
      const help = `\`${name}(ordinal(${showAst(argument)}))\` takes its number`;
      reporter.add(
        messages.positionArithmetic({ what: describeType(type), op: name }, argument.span, { help }),
      );
    }
    return unknownType;
  }
  const joined = joinTypes(name === "abs" ? type.sort : "number", given);
  return name === "floor" || name === "ceil" || name === "sign" ? stopGradient(joined) : joined;
}

function checkCount(call: CallExpr, name: string, count: number, tools: Inference): boolean {
  if (call.arguments.length === count) return true;
  tools.reporter.add(messages.callCount({ name, count, found: call.arguments.length }, call.span));
  return false;
}

/** `min` and `max` of two things of one sort; a number beside a position or distance takes its sort. */
function inferBetween(call: CallExpr, left: Type, right: Type, tools: Inference): Type {
  const sorts = new Set<Sort>([left.sort, right.sort]);
  const one = [...sorts].filter((sort) => sort !== "number");
  const ordered: readonly Sort[] = ["position", "offset", "block", "block-offset", "diagonal"];
  if (one.length === 0) return joinTypes("number", [left, right]);
  if (one.length === 1 && ordered.includes(one[0]!))
    return joinTypes(one[0]!, [left, right], left.domain ?? right.domain);
  const holes = { left: describeType(left), right: describeType(right) };
  tools.reporter.add(messages.domainMismatch(holes, call.span));
  return unknownType;
}

function inferLocal(call: CallExpr, name: string, local: Entity, scope: TypeScope, tools: Inference): Type {
  const { reporter } = tools;
  if (local.kind === "blocks") {
    if (!checkCount(call, name, 1, tools)) return unknownType;
    const argument = call.arguments[0]!.value;
    const type = tools.infer(argument, scope);
    if (type.sort !== "position" && type.sort !== "unknown" && type.sort !== "number") {
      reporter.add(
        messages.domainMismatch({ left: describeType(type), right: "a position" }, argument.span, {
          label: `\`${name}\` maps positions to blocks`,
        }),
      );
      return unknownType;
    }
    return joinTypes("block", [type], local.domain);
  }
  if (local.kind === "function") {
    const given = call.arguments.map((argument) => tools.infer(argument.value, scope));
    if (!checkCount(call, name, local.parameters.length, tools)) return unknownType;
    if (scope.depth > deepest) return unknownType;
    const names = new Map(local.scope.names);
    for (const [n, parameter] of local.parameters.entries())
      names.set(parameter.text, { kind: "value", type: given[n]! });
    return tools.infer(local.body, { ...local.scope, names, depth: scope.depth + 1 });
  }
  if (local.kind === "item") return inferItem(local.definition, call, scope, tools);
  for (const argument of call.arguments) tools.infer(argument.value, scope);
  const help = local.kind === "table" ? `tables are read with brackets: \`${name}[…]\`` : null;
  reporter.add(messages.notAFunction({ name }, call.callee.span, { help }));
  return unknownType;
}

type Special = (call: CallExpr, scope: TypeScope, tools: Inference) => Type;

/** Functions whose arguments are indices. */
const special: Readonly<Record<string, Special>> = {
  ordinal(call, scope, tools) {
    const given = call.arguments.map((argument) => tools.infer(argument.value, scope));
    if (!checkCount(call, "ordinal", 1, tools)) return unknownType;
    const [type] = given as [Type];
    if (type.sort === "bool" || type.sort === "text" || type.sort === "tuple") {
      tools.reporter.add(messages.numberNeeded({ found: describeType(type), op: "ordinal" }, call.span));
      return unknownType;
    }
    return stopGradient(joinTypes("number", given));
  },
  block(call, scope, tools) {
    const given = call.arguments.map((argument) => tools.infer(argument.value, scope));
    if (!checkCount(call, "block", 2, tools)) return unknownType;
    const [at, size] = given as [Type, Type];
    if (at.sort !== "position" && at.sort !== "unknown") {
      const holes = { left: describeType(at), right: "a position" };
      tools.reporter.add(
        messages.domainMismatch(holes, call.arguments[0]!.value.span, {
          label: "`block` maps positions to blocks",
        }),
      );
      return unknownType;
    }
    if (size.sort !== "number" && size.sort !== "unknown")
      tools.reporter.add(
        messages.numberNeeded({ found: describeType(size), op: "block" }, call.arguments[1]!.value.span),
      );
    const domain = {
      kind: "block",
      name: "",
      size: blockSize(call.arguments[1]!.value, scope.definition),
    } as const;
    return joinTypes("block", [at, stopGradient(size)], domain);
  },
  first: blockEnd,
  last: blockEnd,
  offset(call, scope, tools) {
    if (!checkCount(call, "offset", 1, tools)) return unknownType;
    const argument = call.arguments[0]!.value;
    const blocks =
      argument.kind === "membership" && argument.set.kind === "name"
        ? scope.names.get(argument.set.name)
        : undefined;
    if (argument.kind !== "membership" || blocks?.kind !== "blocks") {
      tools.reporter.add(messages.offsetForm(argument.span));
      return unknownType;
    }
    const element = tools.infer(argument.element, scope);
    if (element.sort !== "position" && element.sort !== "unknown")
      tools.reporter.add(
        messages.domainMismatch({ left: describeType(element), right: "a position" }, argument.element.span),
      );
    return joinTypes("offset", [element]);
  },
  rank(call, scope, tools) {
    if (!checkCount(call, "rank", 1, tools)) return unknownType;
    const argument = call.arguments[0]!.value;
    if (argument.kind !== "membership") {
      tools.infer(argument, scope);
      tools.reporter.add(messages.rankForm(argument.span));
      return unknownType;
    }
    return { ...tools.infer(argument, scope), sort: "number" };
  },
  rope(call, scope, tools) {
    if (!checkCount(call, "rope", 1, tools)) return unknownType;
    const argument = call.arguments[0]!.value;
    if (argument.kind !== "at") {
      tools.infer(argument, scope);
      tools.reporter.add(messages.ropeForm(argument.span));
      return unknownType;
    }
    const value = tools.infer(argument.value, scope);
    const position = tools.infer(argument.position, scope);
    return joinTypes(value.sort, [value, position]);
  },
};

function blockEnd(call: CallExpr, scope: TypeScope, tools: Inference): Type {
  const name = call.callee.kind === "name" ? call.callee.name : "";
  const given = call.arguments.map((argument) => tools.infer(argument.value, scope));
  if (!checkCount(call, name, 1, tools)) return unknownType;
  const [type] = given as [Type];
  if (type.sort === "block" || type.sort === "unknown") return joinTypes("position", given);
  const argument = call.arguments[0]!.value;
  const blocks = [...scope.names].find(([, entity]) => entity.kind === "blocks")?.[0];
  const help =
    type.sort === "position" && blocks !== undefined
      ? `take its block first: \`${name}(${blocks}(${showAst(argument)}))\``
      : null;
  tools.reporter.add(messages.blockNeeded({ name, found: describeType(type) }, argument.span, { help }));
  return unknownType;
}

/** A mask, score or function of a file: its arguments fit its parameters, its body is read with them. */
function inferItem(definition: Definition, call: CallExpr, scope: TypeScope, tools: Inference): Type {
  const { item, name } = definition;
  const given = (): readonly Type[] => call.arguments.map((argument) => tools.infer(argument.value, scope));
  if (item.kind !== "mask" && item.kind !== "score" && item.kind !== "function") {
    given();
    mistake(tools.reporter, "not-a-value", call.callee.span, { name, kind: describeItem(definition) });
    return unknownType;
  }
  if (item.kind === "score" && !scope.names.has("s")) {
    given();
    tools.reporter.add(messages.scoreOutsideScore({ name }, call.callee.span));
    return unknownType;
  }
  if (scope.depth > deepest) {
    mistake(tools.reporter, "definition-too-deep", call.span, { name });
    return unknownType;
  }
  const values = bindTypes(item, name, call, scope, tools);
  if (values === null) return unknownType;
  // The body has its own report: here only what it reads matters.
  return tools.infer(item.body, itemScope(definition, values, scope));
}

/** Types of the arguments by parameter; null after a report. */
function bindTypes(
  item: MaskItem | ScoreItem | FunctionItem,
  name: string,
  call: CallExpr,
  scope: TypeScope,
  tools: Inference,
): ReadonlyMap<string, Entity> | null {
  const { reporter } = tools;
  const listed = item.parameters.map((p) => p.name.text).join(", ") || "none";
  const chosen = new Map<string, Argument>();
  let ok = true;
  let misnamed = false;
  for (const [n, argument] of call.arguments.entries()) {
    const parameter =
      argument.name === null
        ? item.parameters[n]
        : item.parameters.find((p) => p.name.text === argument.name!.text);
    if (parameter !== undefined && !chosen.has(parameter.name.text)) {
      chosen.set(parameter.name.text, argument);
      continue;
    }
    ok = false;
    tools.infer(argument.value, scope);
    if (parameter !== undefined)
      mistake(reporter, "argument-repeated", argument.name?.span ?? argument.value.span, {
        name: parameter.name.text,
      });
    else if (argument.name === null) {
      const holes = { callee: name, count: item.parameters.length, parameters: listed };
      mistake(reporter, "argument-count", argument.value.span, holes);
    } else {
      misnamed = true;
      const near = didYouMean(
        argument.name.text,
        item.parameters.map((p) => p.name.text),
      );
      const holes = { callee: name, name: argument.name.text, parameters: listed };
      mistake(reporter, "argument-unknown", argument.name.span, holes, near);
    }
  }
  const values = new Map<string, Entity>();
  for (const parameter of item.parameters) {
    const argument = chosen.get(parameter.name.text);
    if (argument === undefined) {
      if (parameter.value === null && !misnamed) {
        mistake(reporter, "argument-missing", call.span, { callee: name, name: parameter.name.text });
        ok = false;
      }
      values.set(parameter.name.text, { kind: "value", type: plainType(parameterSort(parameter)) });
      continue;
    }
    const entity = parameter.axes.length > 0 ? tableArgument(argument.value, scope) : null;
    if (entity !== null) {
      values.set(parameter.name.text, entity);
      continue;
    }
    const type = tools.infer(argument.value, scope);
    const wanted = parameterSort(parameter);
    const fits =
      type.sort === "unknown" ||
      wanted === "unknown" ||
      type.sort === wanted ||
      (wanted === "number" && (type.sort === "offset" || type.sort === "block-offset"));
    if (!fits) {
      const holes = {
        name: parameter.name.text,
        expected: describeType(plainType(wanted)),
        found: describeType(type),
      };
      mistake(reporter, "argument-type", argument.value.span, holes);
      ok = false;
    }
    if (parameter.axes.length === 0) values.set(parameter.name.text, { kind: "value", type });
    else {
      // A value in place of a table is the same everywhere.
      const axes = parameter.axes.map((axis) => ({ name: axis.name.text, domain: null }));
      values.set(parameter.name.text, { kind: "table", axes, element: type });
    }
  }
  return ok ? values : null;
}

/** A table given as a whole. */
function tableArgument(value: Expr, scope: TypeScope): Entity | null {
  const entity = value.kind === "name" ? scope.names.get(value.name) : undefined;
  return entity?.kind === "table" ? entity : null;
}
