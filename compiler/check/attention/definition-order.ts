/** Orders the lets and selections of an attention so that each comes after what it needs; circles are reported. */
import type { Expr, LetClause, SelectClause } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { PlainClause } from "./phases.ts";
import { clauseExpressions } from "./reads-document.ts";
import { showAst } from "./show-ast.ts";
import { mentionedNames, visitExpr } from "./walk.ts";

export type Defining = LetClause | SelectClause;

export const isDefining = (clause: PlainClause): clause is Defining =>
  clause.kind === "let" || clause.kind === "select";

export interface Ordered {
  readonly clauses: readonly Defining[];
  /** Names on a circle: they have no meaning, and what reads them is not reported again. */
  readonly circular: ReadonlySet<string>;
}

/** Names a clause mentions, without its own axes. */
export function clauseNames(clause: PlainClause): ReadonlySet<string> {
  const names = new Set(clauseExpressions(clause).flatMap((expr) => [...mentionedNames(expr)]));
  if (clause.kind === "let" && clause.form.kind === "table")
    for (const axis of clause.form.axes) names.delete(axis.name.text);
  if (clause.kind === "let" && clause.form.kind === "function")
    for (const parameter of clause.form.parameters) names.delete(parameter.text);
  return names;
}

/** Definitions in the order of their needs. */
export function orderDefinitions(clauses: readonly PlainClause[], reporter: Reporter): Ordered {
  const byName = new Map<string, Defining>();
  for (const clause of clauses)
    if (isDefining(clause) && !byName.has(clause.name.text)) byName.set(clause.name.text, clause);
  const needs = new Map(
    [...byName].map(([name, clause]) => [
      name,
      [...clauseNames(clause)].filter((needed) => byName.has(needed)),
    ]),
  );
  const ordered: Defining[] = [];
  const circular = new Set<string>();
  const state = new Map<string, "open" | "done">();
  const path: string[] = [];
  const visit = (name: string): void => {
    const known = state.get(name);
    if (known === "done") return;
    if (known === "open") {
      const circle = path.slice(path.indexOf(name));
      for (const member of circle) circular.add(member);
      reportCircle(
        circle.map((member) => byName.get(member)!),
        reporter,
      );
      return;
    }
    state.set(name, "open");
    path.push(name);
    for (const needed of needs.get(name)!) visit(needed);
    path.pop();
    state.set(name, "done");
    ordered.push(byName.get(name)!);
  };
  // Selections first: a circle is told from the choice that closes it.
  for (const [name, clause] of byName) if (clause.kind === "select") visit(name);
  for (const name of byName.keys()) visit(name);
  return { clauses: ordered, circular };
}

function reportCircle(circle: readonly Defining[], reporter: Reporter): void {
  const [first, ...rest] = circle as [Defining, ...Defining[]];
  const steps = [...rest, first].map((clause) => `\`${clause.name.text}\``);
  const text = `\`${first.name.text}\` needs ${steps.join(", which needs ")}`;
  const secondary = rest
    .slice(0, 3)
    .map((clause) => ({ span: clause.name.span, label: "", sign: "" as const }));
  const extras = { secondary, sign: rest.length === 0 ? "^" : "" } as const;
  reporter.add(messages.cyclicDefinition({ circle: text, fix: mend(circle) }, first.name.span, extras));
}

/** A normalised logit that a selection ranks by has the order of the raw one. */
function mend(circle: readonly Defining[]): string {
  const select = circle.find((clause) => clause.kind === "select");
  const normalised = new Set(
    circle
      .filter((clause) => clause.kind === "let" && isNormalisedLogit(clause.value))
      .map((c) => c.name.text),
  );
  let raw: Expr | null = null;
  if (select?.kind === "select")
    visitExpr(select.by, (e) => {
      if (e.kind === "index" && normalised.has(e.base.name) && e.indices.length === 3)
        raw ??= { ...e, base: { ...e.base, name: "s" } };
    });
  return raw === null
    ? "define one of them without the other"
    : `select by the raw logit, \`${showAst(raw)}\``;
}

const isNormalisedLogit = (value: Expr): boolean =>
  value.kind === "reduction" &&
  value.op === "softmax" &&
  value.bodies[0]?.kind === "name" &&
  value.bodies[0].name === "s";
