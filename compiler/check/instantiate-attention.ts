/** Instantiates an attention: what it means for given arguments and sizes, in each phase, as scalar expressions. */
import type { AttentionItem, ParamTable } from "../../grammar/ast.ts";
import type {
  AttentionInstance,
  AttentionMeaning,
  AttentionParameter,
  AttentionPhase,
  AttentionShape,
} from "../ir/attention-meaning.ts";
import type { Init } from "../ir/graph.ts";
import type { Reporter } from "../diagnostics/reporter.ts";
import { openPhase, sizeNames } from "./attention/open-phase.ts";
import { allPhases } from "./attention/phases.ts";
import { readPhase } from "./attention/read-phase.ts";
import { mistake } from "./mistakes.ts";
import { evaluateCount, evaluateStatic } from "./static.ts";
import type { MethodValue, StaticValue } from "./static-value.ts";
import { fitsHeads, inLayer } from "./table-files.ts";

const defaultInit: Init = { kind: "normal", deviation: 0.02 };

/** `zeros`, `ones`, `constant(x)`, `normal(deviation)`, `uniform(limit)`. */
function readInit(
  table: ParamTable,
  values: ReadonlyMap<string, StaticValue>,
  method: MethodValue,
  reporter: Reporter,
): Init | null {
  const { init } = table;
  if (init === null) return defaultInit;
  if (init.kind === "name" && init.name === "zeros") return { kind: "constant", value: 0 };
  if (init.kind === "name" && init.name === "ones") return { kind: "constant", value: 1 };
  const call = init.kind === "call" && init.callee.kind === "name" ? init : null;
  const name = call?.callee.kind === "name" ? call.callee.name : "";
  if (call === null || call.arguments.length !== 1 || !["constant", "normal", "uniform"].includes(name)) {
    const written = init.kind === "name" ? init.name : name === "" ? "this" : name;
    mistake(reporter, "init-unknown", init.span, { name: written });
    return null;
  }
  const scope = { environment: method.definition.environment, values };
  const value = evaluateStatic(call.arguments[0]!.value, scope, reporter);
  if (value.kind !== "number") return null;
  if (name === "constant") return { kind: "constant", value: value.value };
  return name === "normal"
    ? { kind: "normal", deviation: value.value }
    : { kind: "uniform", limit: value.value };
}

/** The attention's own tables; null after a report. */
function readParameters(
  item: AttentionItem,
  method: MethodValue,
  shape: AttentionShape,
  reporter: Reporter,
): readonly AttentionParameter[] | null {
  const sizes = new Map<string, number>([
    ["h", shape.heads],
    ["g", shape.kvHeads],
    ["d", shape.headSize],
  ]);
  const values = new Map<string, StaticValue>(
    sizeNames(shape).map(([name, value]) => [name, { kind: "number", value, whole: true }]),
  );
  for (const [name, value] of method.arguments) values.set(name, value);
  const scope = { environment: method.definition.environment, values };
  const parameters: AttentionParameter[] = [];
  for (const clause of item.clauses) {
    if (clause.kind !== "param") continue;
    for (const table of clause.tables) {
      if (table.where !== null) {
        const exists = evaluateStatic(table.where, scope, reporter);
        if (exists.kind !== "bool") return null;
        if (!exists.value) continue;
      }
      const axes: { name: string; size: number }[] = [];
      for (const axis of table.axes) {
        const name = axis.name.text;
        if (axes.some((known) => known.name === name)) {
          mistake(reporter, "name-repeated", axis.name.span, { name });
          return null;
        }
        const size = axis.size === null ? sizes.get(name) : evaluateCount(axis.size, name, scope, reporter);
        if (size === null) return null;
        if (size === undefined) {
          mistake(reporter, "axis-unknown", axis.name.span, { name });
          return null;
        }
        sizes.set(name, size);
        axes.push({ name, size });
      }
      const init = readInit(table, values, method, reporter);
      if (init === null) return null;
      parameters.push({ name: table.name.text, axes, init, span: table.span });
    }
  }
  return parameters;
}

/**
 * What an attention means for its arguments and sizes; null after reported mistakes. Tables over layers are taken at the
 * first layer where the caller has not chosen one.
 */
export function instantiateAttention(
  given: MethodValue,
  shape: AttentionShape,
  reporter: Reporter,
): AttentionInstance | null {
  const { item } = given.definition;
  if (item.kind !== "attention") return null;
  const value = inLayer(given, null, given.span, reporter);
  if (value === null) return null;
  const { heads, kvHeads, headSize } = shape;
  if (!fitsHeads(value, { h: heads, g: kvHeads, d: headSize }, reporter)) return null;
  const parameters = readParameters(item, value, shape, reporter);
  if (parameters === null) return null;
  const phases: Partial<Record<AttentionPhase, AttentionMeaning>> = {};
  for (const phase of allPhases) {
    const opened = openPhase(item, value, shape, parameters, phase, reporter);
    const meaning = opened === null ? null : readPhase(opened, reporter);
    if (meaning === null) return null;
    phases[phase] = meaning;
  }
  return { parameters, phases: phases as Record<AttentionPhase, AttentionMeaning> };
}
