/** Instantiates a rotation: the angle law of a rotary embedding for given arguments and width. */
import type { RotationItem } from "../../grammar/ast.ts";
import type { RotationMeaning } from "../ir/attention-meaning.ts";
import * as ir from "../ir/expr.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import { messages } from "../diagnostics/messages.gen.ts";
import type { Span } from "../source/span.ts";
import { mostMeantSteps, openBudget } from "./budget.ts";
import { evaluateMeant, type Elaboration } from "./attention/evaluate-meant.ts";
import { exprOf, numberOf, scalar, staticNumber, type Meant, type MeantScope } from "./attention/meant.ts";
import type { MethodValue } from "./static-value.ts";

/**
 * The meaning of a rotation over heads of `dims` numbers; `dims` in its clauses is the rotated width. null after
 * reported mistakes.
 */
export function instantiateRotation(
  value: MethodValue,
  dims: number,
  reporter: Reporter,
): RotationMeaning | null {
  const { item } = value.definition;
  if (item.kind !== "rotation") return null;
  const run: Elaboration = {
    reporter,
    buffer: () => {
      throw new Error("a rotation loads nothing");
    },
    tables: null,
    unsupported: (what: string, span: Span) => reporter.add(messages.notInRotation({ what }, span)),
    byDocument: false,
    budget: openBudget(mostMeantSteps),
  };
  const names = new Map<string, Meant>();
  for (const [name, argument] of value.arguments) names.set(name, { kind: "static", value: argument });
  names.set("dims", staticNumber(dims, true));
  const scope: MeantScope = { definition: value.definition, names, depth: 0 };
  const rotated = rotatedWidth(item, dims, scope, run);
  if (rotated === null) return null;
  names.set("dims", staticNumber(rotated, true));
  names.set("m", scalar(ir.index("m")));

  let angle: ir.Expr | null = null;
  let scale: ir.Expr = ir.real(1);
  let layout: RotationMeaning["layout"] = "half";
  for (const clause of item.clauses) {
    if (clause.kind === "layout") {
      if (clause.value.text !== "half" && clause.value.text !== "interleaved") {
        reporter.add(messages.layoutUnknown({ name: clause.value.text }, clause.value.span));
        return null;
      }
      layout = clause.value.text;
    }
    if (clause.kind === "layout" || clause.kind === "rotated") continue;
    const meant = evaluateMeant(clause.value, scope, run);
    if (meant === null) return null;
    if (clause.kind === "let") {
      names.set(clause.name.text, meant);
      continue;
    }
    const expr = exprOf(meant);
    if (expr === null || expr.type === "bool") return null;
    if (clause.kind === "angle") angle = ir.toReal(expr);
    else scale = ir.toReal(expr);
  }
  if (angle === null) {
    reporter.add(messages.rotationWithoutAngle({ name: value.definition.name }, item.name.span));
    return null;
  }
  return { angle, scale, layout, rotated };
}

/** Leading dimensions that rotate: an even number, at most the width; 0 for no rotation at all. */
function rotatedWidth(item: RotationItem, dims: number, scope: MeantScope, run: Elaboration): number | null {
  const clause = item.clauses.find((c) => c.kind === "rotated");
  if (clause === undefined) {
    if (dims % 2 === 0) return dims;
    run.reporter.add(messages.rotatedOdd({ count: dims }, item.name.span));
    return null;
  }
  const meant = evaluateMeant(clause.value, scope, run);
  const count = meant === null ? null : numberOf(meant);
  if (count === null) return null;
  if (!count.whole || count.value % 2 !== 0 || count.value < 0 || count.value > dims) {
    run.reporter.add(messages.rotatedOdd({ count: count.value }, clause.value.span));
    return null;
  }
  return count.value;
}
