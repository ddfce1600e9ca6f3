/** Checks the bodies of masks, scores, functions and attentions once each, without arguments. */
import type {
  AttentionClause,
  AttentionItem,
  FunctionItem,
  Identifier,
  MaskItem,
  ScoreItem,
} from "../../../grammar/ast.ts";
import type { AttentionPhase } from "../../ir/attention-meaning.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import { didYouMean } from "../../diagnostics/suggest.ts";
import type { Definition } from "../environment.ts";
import { attentionNames, pairScope } from "./attention-scope.ts";
import { checkClauses, type CheckedPhase } from "./check-clauses.ts";
import { checkGradients, checkSelectionsUsed } from "./check-learning.ts";
import { checkFree } from "./free-indices.ts";
import { makeInference } from "./infer.ts";
import { checkUnlearned } from "./learned-masks.ts";
import { allPhases, effectiveClauses } from "./phases.ts";
import { describeType, type Type } from "./types.ts";
import { visitExpr } from "./walk.ts";

const pair: ReadonlySet<string> = new Set(["h", "q", "k", "layer"]);

/** The type of a mask's, score's or function's body, as it stands; null for a function of modules. */
export function checkBody(
  definition: Definition,
  item: MaskItem | ScoreItem | FunctionItem,
  reporter: Reporter,
): Type | null {
  const { body } = item;
  if (item.kind === "function" && forModules(item)) return null;
  const scope = pairScope(definition);
  const type = makeInference(reporter).infer(body, scope);
  if (type.sort === "unknown" || item.kind === "function") return type;
  if (item.kind === "mask" && type.sort !== "bool")
    reporter.add(messages.conditionNeeded({ found: describeType(type) }, body.span));
  else if (item.kind === "score" && !["number", "offset", "block-offset"].includes(type.sort))
    reporter.add(messages.numberNeeded({ op: "score", found: describeType(type) }, body.span));
  else if (item.kind === "score" || checkUnlearned(body, type, scope, reporter)) {
    // Axes of the item's own tables stand for whatever the caller gives.
    const axes = item.parameters.flatMap((p) => [...p.axes, ...p.typeAxes].map((axis) => axis.name.text));
    checkFree(body, type, new Set([...pair, ...axes]), `${item.kind}[h, q, k]`, reporter);
  }
  return type;
}

/** Reductions of a function run over the axes of a module, which has rules of its own. */
function forModules(item: FunctionItem): boolean {
  let found = false;
  visitExpr(item.body, (e) => (found ||= e.kind === "reduction" || e.kind === "index"));
  return found;
}

/** Types of an attention's clauses in each phase; equal phases share one object. */
export function checkAttention(
  definition: Definition,
  item: AttentionItem,
  reporter: Reporter,
): ReadonlyMap<AttentionPhase, CheckedPhase> {
  checkPhases(item, reporter);
  const phases = new Map<AttentionPhase, CheckedPhase>();
  const alike = item.clauses.every((clause) => clause.kind !== "phase");
  for (const phase of allPhases) {
    const first = phases.get("training");
    if (alike && first !== undefined) {
      phases.set(phase, first);
      continue;
    }
    const clauses = effectiveClauses(item, phase);
    checkNames(item, clauses, reporter);
    phases.set(phase, checkClauses(definition, item, clauses, reporter));
  }
  checkSelectionsUsed(item, reporter);
  checkGradients(item, phases.get("training")!, reporter);
  return phases;
}

function checkPhases(item: AttentionItem, reporter: Reporter): void {
  for (const clause of item.clauses) {
    if (clause.kind !== "phase") continue;
    const { phase } = clause;
    if (phase !== null && !allPhases.some((known) => known === phase.text)) {
      const near = didYouMean(
        phase.text,
        allPhases.map((name) => ({ name, kind: "" })),
      );
      reporter.add(
        messages.phaseUnknown({ name: phase.text }, phase.span, near === null ? {} : { help: near }),
      );
    }
    for (const inner of clause.clauses) {
      if (inner.kind !== "param" && inner.kind !== "phase") continue;
      const word = inner.kind === "param" ? "param" : inner.phase === null ? "otherwise" : "when";
      reporter.add(messages.clauseInPhase({ clause: word }, inner.span));
    }
  }
}

const namesOf = (clause: AttentionClause): readonly Identifier[] => {
  switch (clause.kind) {
    case "blocks":
    case "diagonals":
    case "let":
    case "select":
      return [clause.name];
    case "param":
      return clause.tables.map((table) => table.name);
    default:
      return [];
  }
};

/** A name means one thing in an attention. */
function checkNames(item: AttentionItem, clauses: readonly AttentionClause[], reporter: Reporter): void {
  const places = new Map(item.parameters.map((parameter) => [parameter.name.text, parameter.name.span]));
  for (const name of clauses.flatMap(namesOf)) {
    const first = places.get(name.text);
    if (first !== undefined && (first.start !== name.span.start || first.file !== name.span.file))
      reporter.add(
        messages.nameTaken({ name: name.text }, name.span, {
          secondary: [{ span: first, label: "first here" }],
        }),
      );
    else if (attentionNames.has(name.text))
      reporter.add(
        messages.nameTaken({ name: name.text }, name.span, { label: "every attention has this name" }),
      );
    else places.set(name.text, name.span);
  }
}
