/** Infers the types of attention expressions; every mistake is reported once and silences what follows from it. */
import type { Expr, IndexExpr, MembershipExpr } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Candidate } from "../../diagnostics/suggest.ts";
import type { Span } from "../../source/span.ts";
import { expressionKinds, findItem, unknownHelp } from "../find-item.ts";
import { mistake, type MistakeExtras } from "../mistakes.ts";
import { builtInNames } from "./builtin-names.ts";
import { inferCall } from "./infer-calls.ts";
import { inferBinary, inferChoice, inferCompare } from "./infer-operators.ts";
import { inferReduction } from "./infer-reductions.ts";
import { showAst } from "./show-ast.ts";
import {
  describeDomain,
  describeType,
  joinTypes,
  plainType,
  sameDomain,
  sortOf,
  stopGradient,
  unknownType,
  type Domain,
  type Entity,
  type Type,
  type TypeScope,
} from "./types.ts";

/** How the parts of inference reach one another and the reporter. */
export interface Inference {
  readonly reporter: Reporter;
  readonly infer: (expr: Expr, scope: TypeScope) => Type;
  /** The element of a table, set or canonical name at its own indices. */
  readonly atOwnIndices: (
    name: string,
    axes: readonly { name: string; domain: Domain | null }[],
    element: Type,
    span: Span,
    scope: TypeScope,
  ) => Type;
  readonly nameUnknown: (name: string, span: Span, scope: TypeScope, wanted?: string) => Type;
}

/** Expressions that one attention may have when all that it uses is written out. */
const mostSteps = 50_000;

/** A checker of expressions that reports to `reporter`. */
export function makeInference(reporter: Reporter): Inference {
  const tools: Inference = { reporter, infer, atOwnIndices, nameUnknown };

  let steps = 0;
  /** The expression that was asked for, and how deep inside it inference is. */
  let root: Span | null = null;
  let depth = 0;

  function infer(expr: Expr, scope: TypeScope): Type {
    if (depth === 0) root = expr.span;
    steps++;
    if (steps > mostSteps) {
      // Told once; from here on nothing is known.
      if (steps === mostSteps + 1) reporter.add(messages.inliningTooLarge(root ?? expr.span));
      return unknownType;
    }
    depth++;
    const type = inferKind(expr, scope);
    depth--;
    return type;
  }

  function inferKind(expr: Expr, scope: TypeScope): Type {
    switch (expr.kind) {
      case "number":
        return plainType("number");
      case "string":
        return plainType("text");
      case "error":
        return unknownType;
      case "name":
        return inferName(expr.name, expr.span, scope);
      case "index":
        return inferIndex(expr, scope);
      case "call":
        return inferCall(expr, scope, tools);
      case "member": {
        const base = infer(expr.base, scope);
        if (base.sort === "tuple") return { ...base, sort: "number" };
        if (base.sort !== "unknown")
          mistake(reporter, "operand-type", expr.span, {
            op: `.${expr.member.text}`,
            found: describeType(base),
            expected: "a pair",
          });
        return unknownType;
      }
      case "unary": {
        const operand = infer(expr.operand, scope);
        if (operand.sort === "unknown") return operand;
        if (expr.op === "not") return joinTypes("bool", [wantCondition(expr.operand, operand)]);
        if (operand.sort === "number" || operand.sort === "offset" || operand.sort === "block-offset")
          return operand;
        if (operand.sort === "bool")
          reporter.add(messages.numberNeeded({ found: "a condition", op: "-" }, expr.operand.span));
        else
          reporter.add(
            messages.positionArithmetic({ what: describeType(operand), op: "-" }, expr.operand.span, {
              help: `\`-ordinal(${showAst(expr.operand)})\` is its number, negated`,
            }),
          );
        return unknownType;
      }
      case "binary":
        return inferBinary(expr, infer(expr.left, scope), infer(expr.right, scope), reporter);
      case "compare":
        return inferCompare(
          expr,
          expr.operands.map((operand) => infer(operand, scope)),
          reporter,
        );
      case "logic": {
        const left = wantCondition(expr.left, infer(expr.left, scope));
        const right = wantCondition(expr.right, infer(expr.right, scope));
        return joinTypes("bool", [left, right]);
      }
      case "if": {
        const condition = wantCondition(expr.condition, infer(expr.condition, scope));
        return inferChoice(expr, condition, infer(expr.then, scope), infer(expr.otherwise, scope), reporter);
      }
      case "membership":
        return inferMembership(expr, scope);
      case "reduction":
        return inferReduction(expr, scope, tools);
      case "tuple":
        return joinTypes(
          "tuple",
          expr.elements.map((element) => infer(element, scope)),
        );
      case "at":
        reporter.add(messages.atOutsideRope(expr.span));
        return unknownType;
      default:
        return expr satisfies never;
    }
  }

  function wantCondition(expr: Expr, type: Type): Type {
    if (type.sort === "bool" || type.sort === "unknown") return type;
    reporter.add(messages.conditionNeeded({ found: describeType(type) }, expr.span));
    return { ...type, sort: "unknown" };
  }

  function nameUnknown(name: string, span: Span, scope: TypeScope, wanted?: string): Type {
    mistake(reporter, "name-unknown", span, { name }, () => unknownNameHelp(name, scope, wanted));
    return unknownType;
  }

  function unknownNameHelp(name: string, scope: TypeScope, wanted?: string): MistakeExtras {
    const candidates: Candidate[] = [...scope.names].map(([known, entity]) => ({
      name: known,
      kind: entity.kind,
    }));
    for (const [known, definition] of scope.definition.environment.names)
      if (!known.startsWith('"')) candidates.push({ name: known, kind: definition.item.kind });
    // `top` is a word of `select`, which other tools write as a function.
    for (const known of [...builtInNames, "top"]) candidates.push({ name: known, kind: "function" });
    // Only items stand alone or are called; a set, a table or an index is of the attention itself.
    const kinds = wanted === undefined || wanted === "function" ? expressionKinds : [];
    const found = unknownHelp(name, candidates, kinds, scope.definition.environment, wanted);
    if (found.help !== undefined || wanted !== "index") return found;
    const bound = candidates.filter(({ kind }) => kind === "index" || kind === "blocks");
    return { help: `an index is one of ${bound.map((one) => `\`${one.name}\``).join(", ")}` };
  }

  /** The use of an index by name: itself free, or whatever a `let` function was given for it. */
  function indexUse(name: string, domain: Domain, span: Span, reads: string | null, scope: TypeScope): Type {
    const entity = scope.names.get(name);
    if (entity?.kind === "value") return entity.type;
    const actual = entity?.kind === "index" || entity?.kind === "blocks" ? entity.domain : domain;
    const carries = actual.kind === "diagonal" || actual.kind === "block" || actual.kind === "axis";
    return {
      ...plainType(sortOf(actual), "position", carries || actual.kind !== "position" ? actual : null),
      free: new Map([[name, { domain: actual, span, reads }]]),
    };
  }

  function atOwnIndices(
    name: string,
    axes: readonly { name: string; domain: Domain | null }[],
    element: Type,
    span: Span,
    scope: TypeScope,
  ): Type {
    const reads = `reads ${name}[${axes.map((axis) => axis.name).join(", ")}]`;
    const uses = axes.map((axis) =>
      indexUse(axis.name, axis.domain ?? { kind: "axis", name: axis.name }, span, reads, scope),
    );
    return readTable(name, element, uses, span);
  }

  /** An element of a table: a learned table is read at this place. */
  function readTable(name: string, element: Type, uses: readonly Type[], span: Span): Type {
    const joined = joinTypes(element.sort, [...uses.map(stopGradient), element], element.domain);
    const isLearned = element.dependence === plainType("number", "learned").dependence;
    return { ...joined, learned: isLearned ? { span, name } : joined.learned };
  }

  function inferName(name: string, span: Span, scope: TypeScope): Type {
    const entity = scope.names.get(name);
    switch (entity?.kind) {
      case "index":
      case "blocks":
        return indexUse(name, entity.domain, span, null, scope);
      case "value":
        return entity.type;
      case "table":
        return atOwnIndices(name, entity.axes, entity.element, span, scope);
      case "set":
        reporter.add(
          messages.setAsValue({ name }, span, { help: `ask for membership: \`… in ${name}[…]\`` }),
        );
        return unknownType;
      case "function":
        mistake(
          reporter,
          "not-a-value",
          span,
          { name, kind: "a function" },
          { help: `write \`${name}(…)\`` },
        );
        return unknownType;
      case "item":
        return inferCall(callOf(name, span), scope, tools);
      case undefined:
        break;
      default:
        return entity satisfies never;
    }
    if (name === "true" || name === "false") return plainType("bool");
    if (name === "pi") return plainType("number");
    const definition = findItem(scope.definition.environment, name, expressionKinds);
    if (definition === undefined) return nameUnknown(name, span, scope);
    return inferCall(callOf(name, span), scope, tools);
  }

  function inferIndex(expr: IndexExpr, scope: TypeScope): Type {
    const name = expr.base.name;
    const given = expr.indices.map((index) => infer(index, scope));
    if (name === "document" && !scope.names.has(name)) {
      const at = given[0];
      if (given.length !== 1) {
        reporter.add(messages.indexCount({ name, count: 1, found: given.length }, expr.span));
        return unknownType;
      }
      if (at!.sort !== "position" && at!.sort !== "unknown")
        reporter.add(
          messages.domainMismatch({ left: describeType(at!), right: "a position" }, expr.indices[0]!.span, {
            label: "documents belong to positions",
          }),
        );
      return joinTypes("document", [at!, plainType("document", "document")]);
    }
    const entity = scope.names.get(name);
    if (entity === undefined) return nameUnknown(name, expr.base.span, scope, "table");
    if (entity.kind === "set") {
      reporter.add(
        messages.setAsValue({ name }, expr.span, { help: `ask for membership: \`… in ${showAst(expr)}\`` }),
      );
      return unknownType;
    }
    if (isLost(entity)) return unknownType;
    if (entity.kind !== "table") {
      const what = entity.kind === "blocks" || entity.kind === "function" ? `write \`${name}(…)\`` : null;
      reporter.add(messages.notATable({ name }, expr.base.span, { help: what }));
      return unknownType;
    }
    if (!checkIndices(expr, entity.axes, given))
      return { ...unknownType, free: joinTypes("unknown", given).free };
    return readTable(name, entity.element, given, expr.base.span);
  }

  /** Whether the indices fit the axes; reports the first that does not. */
  function checkIndices(
    expr: IndexExpr,
    axes: readonly { readonly name: string; readonly domain: Domain | null }[],
    given: readonly Type[],
  ): boolean {
    const name = expr.base.name;
    if (given.length !== axes.length) {
      reporter.add(messages.indexCount({ name, count: axes.length, found: given.length }, expr.span));
      return false;
    }
    for (const [n, axis] of axes.entries()) {
      const type = given[n]!;
      if (type.sort === "unknown" || axis.domain === null || fits(type, axis.domain)) continue;
      const block = axis.domain.kind === "block" && type.sort === "position" ? axis.domain.name : null;
      const shown = expr.indices.map((index, m) =>
        m === n && block !== null ? `${block}(${showAst(index)})` : showAst(index),
      );
      const help = block === null ? null : `map the position to its block: \`${name}[${shown.join(", ")}]\``;
      reporter.add(
        messages.indexDomain(
          { name, axis: axis.name, expected: describeDomain(axis.domain), found: describeType(type) },
          expr.indices[n]!.span,
          { help },
        ),
      );
      return false;
    }
    return true;
  }

  /** Whether a value may index an axis; a number may where it counts positions or a named axis. */
  function fits(type: Type, domain: Domain): boolean {
    switch (domain.kind) {
      case "position":
        return type.sort === "position" || type.sort === "number";
      case "block":
        return type.sort === "block"
          ? type.domain === null || sameDomain(type.domain, domain, false)
          : type.sort === "number";
      case "diagonal":
        return type.sort === "diagonal" || type.sort === "offset" || type.sort === "number";
      case "axis":
        return (
          type.sort === "number" ||
          type.sort === "offset" ||
          (type.domain !== null && sameDomain(type.domain, domain))
        );
      case "head":
      case "kv-head":
      case "dim":
      case "pair":
        return type.domain !== null && sameDomain(type.domain, domain);
      default:
        return domain satisfies never;
    }
  }

  function inferMembership(expr: MembershipExpr, scope: TypeScope): Type {
    const element = infer(expr.element, scope);
    const name =
      expr.set.kind === "index" ? expr.set.base.name : expr.set.kind === "name" ? expr.set.name : "";
    const entity = scope.names.get(name);
    if (entity === undefined && name !== "" && !scope.definition.environment.names.has(name))
      return nameUnknown(name, expr.set.span, scope, "set");
    if (entity?.kind === "blocks" && expr.set.kind === "name") {
      const block = indexUse(name, entity.domain, expr.set.span, null, scope);
      if (element.sort !== "position" && element.sort !== "unknown")
        reporter.add(
          messages.memberDomain(
            { name, expected: "a position", found: describeType(element) },
            expr.element.span,
          ),
        );
      return stopGradient(joinTypes("bool", [element, block]));
    }
    if (entity !== undefined && isLost(entity)) return unknownType;
    if (entity?.kind !== "set") {
      reporter.add(messages.setNeeded(expr.set.span));
      return unknownType;
    }
    let indices: Type;
    if (expr.set.kind === "index") {
      const given = expr.set.indices.map((index) => infer(index, scope));
      checkIndices(expr.set, entity.axes, given);
      indices = joinTypes("unknown", given);
    } else indices = atOwnIndices(name, entity.axes, plainType("unknown"), expr.set.span, scope);
    if (element.sort !== "unknown" && !fits(element, entity.of)) {
      const mapped = entity.of.kind === "block" && element.sort === "position" ? entity.of.name : null;
      const help =
        mapped === null
          ? null
          : `ask for its block: \`${mapped}(${showAst(expr.element)}) in ${showAst(expr.set)}\``;
      reporter.add(
        messages.memberDomain(
          { name, expected: describeDomain(entity.of), found: describeType(element) },
          expr.element.span,
          { help },
        ),
      );
    }
    // What a `select` chose is learned, but a mask may read it: the choice is hard.
    const joined = stopGradient(joinTypes("bool", [element, indices]));
    return { ...joined, dependence: plainType("bool", "learned").dependence };
  }

  return tools;
}

/** What has no type after a mistake that was reported. */
const isLost = (entity: Entity): boolean => entity.kind === "value" && entity.type.sort === "unknown";

/** A name used alone, as a call without arguments. */
const callOf = (name: string, span: Span) =>
  ({ kind: "call", callee: { kind: "name", name, span }, arguments: [], span }) as const;
