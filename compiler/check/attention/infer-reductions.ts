/** Types of reductions and normalisers: a reducer binds and removes an index, a normaliser binds and keeps it. */
import type { Binder, ReductionExpr } from "../../../grammar/ast.ts";
import { messages } from "../../diagnostics/messages.gen.ts";
import { mistake } from "../mistakes.ts";
import type { Inference } from "./infer.ts";
import { domainOfAxis } from "./item-scope.ts";
import { describeType, joinTypes, stopGradient, unknownType } from "./types.ts";
import type { Domain, Entity, FreeIndex, Type, TypeScope } from "./types.ts";

const keeps = (op: ReductionExpr["op"]): boolean => op === "softmax" || op === "normalize" || op === "stack";

/** How many arguments a reducer takes in parentheses; null: any number, at least one. */
const argumentCounts: Readonly<Partial<Record<ReductionExpr["op"], number | null>>> = {
  dot: 2,
  attend: 3,
  stack: null,
};

export function inferReduction(expr: ReductionExpr, scope: TypeScope, tools: Inference): Type {
  const { reporter } = tools;
  if (expr.op === "split" || expr.op === "merge") {
    reporter.add(messages.notInAttention({ what: expr.op }, expr.span));
    return unknownType;
  }
  const names = new Map(scope.names);
  const within = new Map<string, FreeIndex>();
  let ok = true;
  for (const binder of expr.binders) {
    const domain = binderDomain(binder, scope, tools);
    if (domain === null) {
      ok = false;
      // Told once: what reads it inside is not told again.
      if (!names.has(binder.name.text)) names.set(binder.name.text, { kind: "value", type: unknownType });
      continue;
    }
    if (binder.in !== null) {
      const block = scope.names.get(binder.in.text);
      if (block?.kind === "blocks")
        within.set(binder.in.text, { domain: block.domain, span: binder.in.span, reads: null });
    }
    // The map of a block domain stays callable where its index is bound.
    const known = scope.names.get(binder.name.text);
    if (known?.kind !== "blocks") names.set(binder.name.text, { kind: "index", domain });
  }
  if (expr.per !== null) {
    const blocks = scope.names.get(expr.per.text);
    if (blocks?.kind !== "blocks") {
      reporter.add(messages.blocksNeeded({ name: expr.per.text }, expr.per.span));
      ok = false;
    }
  }
  const inner: TypeScope = { ...scope, names };
  const guard = expr.guard === null ? null : tools.infer(expr.guard, inner);
  if (guard !== null && guard.sort !== "bool" && guard.sort !== "unknown")
    reporter.add(messages.conditionNeeded({ found: describeType(guard) }, expr.guard!.span));
  const bodies = expr.bodies.map((body) => tools.infer(body, inner));
  for (const [n, body] of bodies.entries()) {
    if (body.sort !== "bool" && body.sort !== "document" && body.sort !== "text") continue;
    reporter.add(messages.numberNeeded({ found: describeType(body), op: expr.op }, expr.bodies[n]!.span));
    ok = false;
  }
  const count = argumentCounts[expr.op];
  if (count !== undefined && count !== null && bodies.length !== count) {
    reporter.add(messages.reducerArguments({ op: expr.op, count, found: bodies.length }, expr.span));
    ok = false;
  }
  if (!ok) return unknownType;
  const parts = guard === null ? bodies : [...bodies, stopGradient(guard)];
  const joined = joinTypes(bodies.some((body) => body.sort === "unknown") ? "unknown" : "number", parts);
  const free = new Map(joined.free);
  for (const binder of expr.binders) {
    const name = binder.name.text;
    if (expr.op === "stack") {
      if (!free.has(name))
        free.set(name, { domain: domainOfAxis(name), span: binder.name.span, reads: null });
      continue;
    }
    if (!free.has(name) && joined.sort !== "unknown") {
      const axes = [...free.keys()].join(", ");
      mistake(reporter, "axis-absent", binder.name.span, {
        name,
        axes: axes === "" ? "no axes" : `[${axes}]`,
      });
      return unknownType;
    }
    if (!keeps(expr.op)) free.delete(name);
  }
  // `attend` also sums over the dimensions of queries and keys; those of the values stay.
  if (expr.op === "attend" && bodies[2]?.free.has("d") === false) free.delete("d");
  for (const [name, index] of within) if (!free.has(name)) free.set(name, index);
  return { ...joined, free };
}

/** What a binder ranges over; null after a report. */
function binderDomain(binder: Binder, scope: TypeScope, tools: Inference): Domain | null {
  const name = binder.name.text;
  const known: Entity | undefined = scope.names.get(name);
  if (binder.in !== null) {
    const blocks = scope.names.get(binder.in.text);
    if (blocks?.kind !== "blocks") {
      if (blocks === undefined) tools.nameUnknown(binder.in.text, binder.in.span, scope, "blocks");
      else tools.reporter.add(messages.blocksNeeded({ name: binder.in.text }, binder.in.span));
      return null;
    }
    return { kind: "position" };
  }
  if (known?.kind === "index" || known?.kind === "blocks") return known.domain;
  if (known?.kind === "value" && ["q", "k", "h", "d", "g"].includes(name)) return domainOfAxis(name);
  if (known === undefined) tools.nameUnknown(name, binder.name.span, scope, "index");
  else tools.reporter.add(messages.binderName({ name }, binder.name.span));
  return null;
}
