/** The masks of a spec's attentions as grids of visible pairs, for pictures and densities. */
import type { AttentionMeaning, AttentionPhase, AttentionShape } from "../ir/attention-meaning.ts";
import { someExpr } from "../ir/expr.ts";
import { exprEvaluator, noValues } from "../ir/evaluate-expr.ts";
import { parseFile } from "../../grammar/parse.ts";
import { Reporter } from "../diagnostics/reporter.ts";
import { checkProject, type CheckedProject } from "../check/check.ts";
import { withoutSelections } from "../check/attention/selection-bounds.ts";
import type { Definition, Environment } from "../check/environment.ts";
import { instantiateAttention } from "../check/instantiate-attention.ts";
import { bindArguments } from "../check/static.ts";
import type { MethodValue } from "../check/static-value.ts";
import { UsageError } from "./exit-codes.ts";
import type { MaskGrid } from "./pictures/mask-picture.ts";

export interface NamedMask {
  readonly attention: string;
  /** Phases with this very mask. */
  readonly phases: readonly AttentionPhase[];
  readonly meaning: AttentionMeaning;
  readonly grid: MaskGrid;
  /** Share of visible pairs among all. */
  readonly density: number;
  /** True where a selection decides: then the grid shows all that it may choose. */
  readonly atMost: boolean;
}

const heads = 8;

/** Document of a position in pictures: three texts in a row. */
const documentOf = (position: number, length: number): number =>
  Math.min(2, Math.floor((position * 3) / length));

function drawn(
  meaning: AttentionMeaning,
  length: number,
  title: string,
): { readonly grid: MaskGrid; readonly density: number } {
  const evaluate = exprEvaluator(meaning.mask);
  const values = new Float64Array(length * length);
  let [q, k, h] = [0, 0, 0];
  const at: Readonly<Record<string, () => number>> = { q: () => q, k: () => k, h: () => h };
  const starts = Array.from({ length }, (_, n) => {
    let first = n;
    while (first > 0 && documentOf(first - 1, length) === documentOf(n, length)) first--;
    return first;
  });
  const leaves = {
    ...noValues,
    index: (name: string) => at[name]!(),
    size: (name: string) => (name === "batch" ? 1 : name === "query-start" || name === "step" ? 0 : length),
    load: (buffer: number, [position = 0]: readonly number[]) =>
      meaning.buffers[buffer]?.kind === "starts" ? starts[position]! : documentOf(position, length),
  };
  let seen = 0;
  for (q = 0; q < length; q++)
    for (k = 0; k < length; k++)
      for (h = 0; h < heads; h++) {
        const visible = evaluate(leaves);
        values[q * length + k]! += visible / heads;
        seen += visible;
      }
  return {
    grid: { queries: length, keys: length, values, title },
    density: seen / (heads * length * length),
  };
}

/** An attention with the arguments that a model gives it, or its defaults. Null after a report. */
function valueOf(definition: Definition, project: CheckedProject, reporter: Reporter): MethodValue | null {
  for (const model of project.models.values())
    for (const value of model.settings.arguments.values())
      if (value.kind === "method" && value.definition === definition) return value;
  const { environment } = project;
  const span = { file: environment.file.path, start: 0, end: 0 };
  const call = {
    kind: "call",
    callee: { kind: "name", name: definition.name, span },
    arguments: [],
    span,
  } as const;
  return bindArguments(definition, call, { environment, values: new Map() }, reporter);
}

/** An attention of nothing but a mask, given as it would stand in a spec: `near`, `causal and window(8)`. Throws a UsageError. */
function attentionOf(mask: string, environment: Environment): Definition {
  const { file, diagnostics } = parseFile("the mask", `attention drawn() { mask ${mask} }`);
  const [item] = file.items;
  if (diagnostics.length > 0 || file.items.length !== 1 || item?.kind !== "attention")
    throw new UsageError(
      `${JSON.stringify(mask)} cannot be read as a mask`,
      'for example: "causal and window(8)"',
    );
  const definition: Definition = { name: mask, item, environment };
  const reporter = new Reporter();
  checkProject(
    {
      ...environment,
      file: { ...environment.file, items: [item] },
      names: new Map([...environment.names, [item.name.text, definition]]),
    },
    reporter,
  );
  // A part of a mask need be neither causal nor without empty rows.
  const wrong = reporter.diagnostics.find(
    ({ severity, code }) => severity === "error" && code !== "mask-not-causal" && code !== "empty-row",
  );
  if (wrong !== undefined) throw new UsageError(`${JSON.stringify(mask)}: ${wrong.title}`, wrong.help);
  return definition;
}

/** What is drawn: the attention of a name, a mask by name or expression, else all attentions, else all masks without parameters. */
function chosen(environment: Environment, name: string | undefined): readonly Definition[] {
  const all = [...environment.names.values()];
  const attentions = all.filter(({ item }) => item.kind === "attention");
  const isOwn = ({ environment: where }: Definition): boolean => where === environment;
  if (name !== undefined) {
    const named = attentions.find((each) => each.name === name);
    if (named !== undefined) return [named];
    const masks = all.filter(({ item }) => item.kind === "mask");
    if (/^[A-Za-z_]\w*$/.test(name) && !masks.some((each) => each.name === name))
      throw new UsageError(
        `no attention or mask is called ${JSON.stringify(name)}`,
        `there are: ${[...attentions, ...masks].map((each) => each.name).join(", ")}`,
      );
    const mask = masks.find((each) => each.name === name)?.item;
    if (mask?.kind === "mask" && mask.parameters.some(({ value }) => value === null))
      throw new UsageError(
        `the mask ${name} has parameters`,
        `give them: "${name}(${mask.parameters.map((each) => `${each.name.text}: 8`).join(", ")})"`,
      );
    return [attentionOf(name, environment)];
  }
  const own = attentions.filter(isOwn);
  if (own.length > 0) return own;
  const masks = all.filter(
    (each) =>
      isOwn(each) && each.item.kind === "mask" && each.item.parameters.every((one) => one.value !== null),
  );
  if (masks.length > 0) return masks.map((each) => attentionOf(each.name, environment));
  if (attentions.length === 0)
    throw new UsageError(
      "this spec has no attention, and no mask without parameters",
      'name a mask with arguments: lctx viz mask spec.lctx "window(8)"',
    );
  return attentions;
}

/** All masks of what a spec declares or imports, or of what is asked for by name or expression. Throws a UsageError. */
export function masksOf(project: CheckedProject, length: number, name?: string): readonly NamedMask[] {
  const wanted = chosen(project.environment, name);
  const shape: AttentionShape = { heads, kvHeads: heads, headSize: 16, length };
  return wanted.flatMap((definition) => {
    const reporter = new Reporter();
    const value = valueOf(definition, project, reporter);
    const instance = value === null ? null : instantiateAttention(value, shape, reporter);
    if (instance === null)
      throw new UsageError(
        `${definition.name} cannot be drawn at length ${length}: ${reporter.diagnostics[0]?.title ?? "it has parameters without defaults"}`,
        "choose another --length, or give its parameters defaults",
      );
    // What a selection chooses depends on the text; what it may choose does not.
    const { item } = definition;
    const widest = item.kind === "attention" ? withoutSelections(item) : item;
    const bounds =
      value === null || widest === item
        ? instance
        : instantiateAttention({ ...value, definition: { ...definition, item: widest } }, shape, reporter);
    const groups = new Map<unknown, AttentionPhase[]>();
    for (const phase of ["training", "evaluation", "decoding"] as const) {
      const { mask } = instance.phases[phase];
      groups.set(mask, [...(groups.get(mask) ?? []), phase]);
    }
    return [...groups.values()].map((phases): NamedMask => {
      const meaning = instance.phases[phases[0]!];
      const atMost = someExpr(meaning.mask, (e) => e.kind === "set");
      const shown = atMost ? bounds!.phases[phases[0]!] : meaning;
      const name = atMost ? `${definition.name}, at most` : definition.name;
      const title = phases.length === 3 ? name : `${name}: ${phases.join(", ")}`;
      return { attention: definition.name, phases, meaning, atMost, ...drawn(shown, length, title) };
    });
  });
}
