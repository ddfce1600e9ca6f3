/** Prints the clauses of adapt, train and evaluate items and the settings of models. */
import type {
  AdaptClause,
  Amount,
  DataClause,
  DataPart,
  EvaluateClause,
  Expr,
  ScheduleClause,
  Setting,
  SitePattern,
  SiteSegment,
  TrainClause,
} from "./ast.ts";
import { layoutOf } from "./print-clauses.ts";
import { printCall, printExpr, printText } from "./print-expr.ts";
import { type LayoutState, type Unit, widest } from "./print-layout.ts";

function segment(part: SiteSegment): string {
  switch (part.kind) {
    case "name":
      return part.name.text;
    case "any":
      return "*";
    case "number":
      return String(part.value);
    case "range":
      return `${part.from} to ${part.to}`;
    case "one-of":
      return `{${part.names.map((name) => name.text).join(", ")}}`;
  }
  return part satisfies never;
}

const sites = (patterns: readonly SitePattern[]): string =>
  patterns.map((pattern) => pattern.segments.map(segment).join(".")).join(", ");

export function adaptUnit(clause: AdaptClause, state: LayoutState, indent: number): Unit {
  const { start, end } = clause.span;
  if (clause.kind === "train-sites") return { start, end, text: `train ${sites(clause.sites)}`, align: null };
  const call = printCall(clause.adapter, layoutOf(state, indent), indent);
  return { start, end, text: `${call} on ${sites(clause.sites)}`, align: null };
}

/** Width of the words of a recipe, so that what they say lines up. */
const wordWidth = 11;

export function trainUnit(clause: TrainClause, state: LayoutState, indent: number): Unit {
  const layout = layoutOf(state, indent);
  const { start, end } = clause.span;
  const column = indent + wordWidth;
  const print = (value: Expr): string => printExpr(value, layout, column);
  const unit = (word: string, text: string): Unit => ({
    start,
    end,
    text: word.padEnd(wordWidth) + text,
    align: null,
  });
  const amount = ({ value, percent }: Amount): string => (percent ? `${print(value)}%` : print(value));
  switch (clause.kind) {
    case "data":
      return unit("data", dataText(clause, state, column, print, amount));
    case "loss":
      return unit(
        "loss",
        clause.objective.text +
          (clause.on === null ? "" : ` on ${clause.on.text}`) +
          (clause.except === null ? "" : ` except ${clause.except.text}`),
      );
    case "optimizer-choice":
      return unit("optimizer", printCall(clause.optimizer, layout, column));
    case "schedule":
      return unit("schedule", scheduleText(clause, print, amount));
    case "batch": {
      const accumulate = clause.accumulate === null ? "" : ` accumulate ${print(clause.accumulate)}`;
      return unit("batch", `${print(clause.size)} ${clause.unit}${accumulate}`);
    }
    case "precision":
      return unit("precision", clause.value.text);
    case "recompute":
      return unit("recompute", clause.value.text);
    case "seed":
      return unit("seed", print(clause.value));
    case "clip":
      return unit("clip", print(clause.value));
    case "train-sites":
      return unit("train", sites(clause.sites));
    case "stage": {
      const text = state.block({
        head: `stage ${clause.name.text}`,
        from: clause.name.span.end,
        to: end,
        indent,
        separator: null,
        units: (inner) => clause.clauses.map((child) => trainUnit(child, state, inner)),
      });
      return { start, end, text, align: null };
    }
  }
  return clause satisfies never;
}

function dataText(
  clause: DataClause,
  state: LayoutState,
  column: number,
  print: (e: Expr) => string,
  amount: (a: Amount) => string,
): string {
  const part = (each: DataPart): string => {
    const share = each.share === null ? "" : ` ${amount(each.share)}`;
    if (each.kind === "tokens") return `tokens ${printText(each.source.value)}${share}`;
    return `task ${printCall(each.task, layoutOf(state, column), column)}${share}`;
  };
  const parts = clause.mixed ? [mixText(clause, state, column, part)] : clause.parts.map(part);
  if (clause.tokenizer !== null) parts.push(`tokenizer ${printText(clause.tokenizer.value)}`);
  if (clause.length !== null) parts.push(`length ${print(clause.length)}`);
  if (clause.packed) parts.push("packed by document");
  if (clause.cut) parts.push("cut by document");
  if (clause.insert !== null)
    parts.push(`insert ${clause.insert.token.text} every ${print(clause.insert.every)}`);
  if (clause.validate !== null) parts.push(`validate ${amount(clause.validate)}`);
  return parts.join(" ");
}

function mixText(
  clause: DataClause,
  state: LayoutState,
  column: number,
  part: (each: DataPart) => string,
): string {
  const [first, last] = [clause.parts[0], clause.parts.at(-1)];
  return state.block({
    head: "mix",
    from: clause.span.start,
    to: (last?.share ?? null) === null ? (first?.span.start ?? clause.span.end) : last!.share!.value.span.end,
    indent: column,
    separator: "   ",
    units: () =>
      clause.parts.map((each) => ({
        start: each.span.start,
        end: each.share?.value.span.end ?? each.span.end,
        text: part(each),
        align: null,
      })),
  });
}

function scheduleText(
  clause: ScheduleClause,
  print: (e: Expr) => string,
  amount: (a: Amount) => string,
): string {
  const warmup = clause.warmup === null ? "" : `warmup ${amount(clause.warmup)} then `;
  const to = clause.to === null ? "" : ` to ${print(clause.to)}`;
  return `${warmup}${clause.shape.text}${to} over ${print(clause.over)}`;
}

export function evaluateUnit(clause: EvaluateClause, state: LayoutState, indent: number): Unit {
  const layout = layoutOf(state, indent);
  const { start, end } = clause.span;
  const print = (value: Expr): string => printExpr(value, layout, indent);
  if (clause.kind === "metric") return { start, end, text: `metric ${clause.metric.text}`, align: null };
  if (clause.kind !== "task")
    return { start, end, text: `${clause.kind} ${print(clause.value)}`, align: null };
  const { task, lengths, depths } = clause;
  let text = `task ${clause.bare && task.callee.kind === "name" ? task.callee.name : printCall(task, layout, indent + 5)}`;
  if (lengths !== null) {
    text += ` at lengths ${lengths.values.map(print).join(", ")}`;
    if (lengths.to !== null) text += ` to ${print(lengths.to)} doubling`;
  }
  if (depths.length > 0)
    text += ` depths ${depths.map(({ value, percent }) => print(value) + (percent ? "%" : "")).join(", ")}`;
  return { start, end, text, align: null };
}

/** Settings as units of one line each: those the author put on one line stay together while they fit. */
export function settingUnits(
  settings: readonly Setting[],
  state: LayoutState,
  indent: number,
): readonly Unit[] {
  const units: Unit[] = [];
  settings.forEach((setting, index) => {
    const { start, end } = setting.span;
    const name = setting.name.text;
    const text = `${name} ${printExpr(setting.value, layoutOf(state, indent), indent + name.length + 1)}`;
    const before = settings[index - 1];
    const line = units[units.length - 1];
    const together =
      before !== undefined &&
      line !== undefined &&
      !state.breaks(before.span.end, start) &&
      !text.includes("\n") &&
      indent + line.text.length + 3 + text.length <= widest;
    if (together)
      units[units.length - 1] = { start: line.start, end, text: `${line.text}   ${text}`, align: null };
    else units.push({ start, end, text, align: null });
  });
  return units;
}
