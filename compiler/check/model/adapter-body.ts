/** Reads the bodies of adapters: what a site's input and output become. */
import type { AdapterItem } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import { mistake } from "../mistakes.ts";
import { evaluateLet } from "./body-lets.ts";
import type { Binding, BodyScope } from "./body-scope.ts";
import { joinPath, type Attachment, type Instance } from "./instance.ts";
import { clausesOf, type AdapterScope } from "./read-context.ts";
import { showAxes, type Term, type TermAxis } from "./term.ts";
import { materialize, reshape, sameAxes, termValue, type Place } from "./value.ts";

/** Replaces the site's input where the adapter says so. */
export function adaptInput(
  attachment: Attachment,
  instance: Instance,
  input: string | null,
  scope: BodyScope,
  scopes: AdapterScope,
): void {
  const { reporter } = scope;
  const name = attachment.method.definition.name;
  const clauses = clausesOf(attachment);
  if (!clauses.some((clause) => clause.kind === "adapter-input")) return;
  const before = input === null ? undefined : scope.bindings.get(input);
  if (input === null || before === undefined) {
    const holes = { adapter: name, problem: "replaces an input that is no vector", site: instance.kind };
    mistake(reporter, "adapter-clause", attachment.span, holes);
    return;
  }
  const inner = scopes(attachment);
  inner.bindings.set("x", before);
  for (const clause of clauses) {
    if (clause.kind === "let") inner.bindings.set(clause.name.text, evaluateLet(clause, inner));
    if (clause.kind !== "adapter-input") continue;
    const value = inner.evaluate(clause.value, inner);
    const place: Place = { site: joinPath(instance.path, name), span: clause.span };
    const term = value === null ? null : materialize(value, place, reporter);
    const kept =
      term === null || before.kind !== "value"
        ? null
        : keepAxes(term, before.value.axes, attachment, instance, reporter);
    const binding: Binding = kept === null ? { kind: "failed" } : { kind: "value", value: termValue(kept) };
    inner.bindings.set("x", binding);
    scope.bindings.set(input, binding);
  }
}

/** The adapted tensor under the axes of what it replaces; null after a report. */
function keepAxes(
  term: Term,
  axes: readonly TermAxis[],
  attachment: Attachment,
  instance: Instance,
  reporter: Reporter,
): Term | null {
  if (sameAxes(term.axes, axes)) return term;
  const holes = {
    adapter: attachment.method.definition.name,
    site: instance.path,
    found: showAxes(term.axes),
    expected: showAxes(axes),
  };
  mistake(reporter, "adapter-shape", attachment.span, holes);
  return null;
}

/** The site's output as the adapter changes it; null after a report. */
export function adaptOutput(
  attachment: Attachment,
  instance: Instance,
  output: Term,
  input: Binding | null,
  scopes: AdapterScope,
  reporter: Reporter,
): Term | null {
  const name = attachment.method.definition.name;
  const clauses = clausesOf(attachment);
  if (!clauses.some((clause) => clause.kind === "output" || clause.kind === "prepend")) return output;
  const scope = scopes(attachment);
  const named = residualNames(output, input, attachment);
  if (input !== null) scope.bindings.set("x", input);
  scope.bindings.set("y", { kind: "value", value: termValue(named) });
  let current = named;
  for (const clause of clauses) {
    const place: Place = { site: joinPath(instance.path, name), span: clause.span };
    if (clause.kind === "let") scope.bindings.set(clause.name.text, evaluateLet(clause, scope));
    if (clause.kind === "output") {
      const value = scope.evaluate(clause.value, scope);
      const term = value === null ? null : materialize(value, place, reporter);
      const kept = term === null ? null : keepAxes(term, current.axes, attachment, instance, reporter);
      if (kept === null) return null;
      current = kept;
      scope.bindings.set("y", { kind: "value", value: termValue(kept) });
    }
    if (clause.kind === "prepend" && instance.kind === "embed") {
      const part = clause.parts[0]!;
      const value = scope.evaluate(part.value, scope);
      const vectors = value === null ? null : materialize(value, place, reporter);
      if (vectors === null) return null;
      const plus = current.plus + (vectors.axes[0]?.size ?? 0);
      const { axes } = current;
      current = { kind: "prepend", vectors, operand: current, axes, extent: "token", plus, ...place };
    }
  }
  return reshape(current, output.axes, { site: instance.path, span: attachment.span });
}

/** Where a site gives what it takes, its output is read under the names of its input. */
function residualNames(output: Term, input: Binding | null, attachment: Attachment): Term {
  if (input?.kind !== "value" || (attachment.method.definition.item as AdapterItem).site.text !== "residual")
    return output;
  const axes = input.value.axes;
  const same =
    axes.length === output.axes.length && axes.every((axis, n) => axis.size === output.axes[n]!.size);
  return same ? reshape(output, axes, output) : output;
}
