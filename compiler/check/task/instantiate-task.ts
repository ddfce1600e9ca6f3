/** A task with its arguments, as settings: its clauses in order, every name resolved, every type known. */
import type { Axis, CallExpr, LetClause, TaskClause, TaskItem } from "../../../grammar/ast.ts";
import type {
  MarkovFiller,
  TaskExpr,
  TaskFiller,
  TaskInsert,
  TaskLet,
  TaskSettings,
  Template,
} from "../../../runtime/tasks/task.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type { Definition, Environment } from "../environment.ts";
import { findItem, itemHelp } from "../find-item.ts";
import { mistake } from "../mistakes.ts";
import { bindArguments, type StaticScope } from "../static.ts";
import { didYouMean } from "../static-types.ts";
import type { MethodValue, StaticValue } from "../static-value.ts";
import { count, real, within } from "../train-values.ts";
import { readTemplate } from "./read-template.ts";
import { readTaskExpr, type TaskScope } from "./task-expressions.ts";

/** The task that a call names, with its arguments bound; null after a report. */
export function callTask(
  call: CallExpr,
  environment: Environment,
  scope: StaticScope,
  reporter: Reporter,
): TaskSettings | null {
  const name = call.callee.kind === "name" ? call.callee.name : call.callee.member.text;
  const definition = findItem(environment, name, ["task"]);
  if (definition?.item.kind !== "task") {
    mistake(reporter, "task-unknown", call.callee.span, { name }, () =>
      itemHelp(name, definition, "task", environment),
    );
    return null;
  }
  const value = bindArguments(definition, call, scope, reporter);
  return value === null ? null : instantiateTask(value, definition.item, reporter);
}

/** Checks a task that nothing calls, when its parameters have defaults. */
export function checkTask(definition: Definition, item: TaskItem, reporter: Reporter): void {
  if (item.parameters.some((parameter) => parameter.value === null)) return;
  const scope: StaticScope = { environment: definition.environment, values: new Map() };
  const value = bindArguments(definition, { arguments: [], span: item.name.span }, scope, reporter);
  if (value !== null) instantiateTask(value, item, reporter);
}

function shown(value: StaticValue): string {
  return value.kind === "text" ? JSON.stringify(value.value) : "value" in value ? String(value.value) : "…";
}

/** The settings; null after a report. */
export function instantiateTask(value: MethodValue, item: TaskItem, reporter: Reporter): TaskSettings | null {
  const scope: TaskScope = {
    environment: value.definition.environment,
    values: value.arguments,
    drawn: new Map(),
    axes: new Map(),
    index: null,
    reads: { depth: false },
    reporter,
  };
  const before = reporter.errorCount;
  const lets: TaskLet[] = [];
  const inserts: TaskInsert[] = [];
  const texts = new Map<"start" | "ask" | "answer", Template>();
  let filler: TaskFiller | null = null;
  const first = new Map<string, TaskClause>();
  for (const clause of item.clauses) {
    const word = clause.kind === "task-text" ? clause.part : clause.kind;
    const earlier = first.get(word);
    if (earlier !== undefined && word !== "let" && word !== "task-insert") {
      const secondary = [{ span: earlier.span, label: "first here" }];
      mistake(reporter, "task-clause-repeated", clause.span, { clause: word }, { secondary });
      continue;
    }
    first.set(word, clause);
    switch (clause.kind) {
      case "let": {
        const read = readLet(clause, scope);
        if (read !== null) lets.push(read);
        else if (!scope.drawn.has(clause.name.text)) scope.drawn.set(clause.name.text, null);
        break;
      }
      case "task-text": {
        const read = readTemplate(clause.text, scope);
        if (read !== null) texts.set(clause.part, read);
        break;
      }
      case "filler":
        filler = readFiller(clause.value, scope);
        break;
      case "task-insert": {
        const read = readInsert(clause, scope);
        if (read !== null) inserts.push(read);
        break;
      }
      default:
        clause satisfies never;
    }
  }
  const needed = [
    ...(first.has("filler") ? [] : ["filler"]),
    ...(first.has("ask") && !first.has("answer") ? ["answer"] : []),
    ...(first.has("answer") && !first.has("ask") ? ["ask"] : []),
  ];
  for (const clause of needed)
    mistake(reporter, "task-clause-missing", item.name.span, { name: item.name.text, clause });
  if (reporter.errorCount > before || filler === null) return null;
  const [ask, answer] = [texts.get("ask"), texts.get("answer")];
  const given = [...value.arguments].map(([name, each]) => `${name}: ${shown(each)}`);
  return {
    name: item.name.text,
    label: `${item.name.text}(${given.join(", ")})`,
    axes: Object.fromEntries(scope.axes),
    lets,
    start: texts.get("start") ?? [],
    filler,
    inserts,
    question: ask === undefined || answer === undefined ? null : { ask, answer },
    readsDepth: scope.reads.depth,
  };
}

/** The axis of a table or of inserts: its size where it is met first, its name alone later. */
function readAxis(axes: readonly Axis[], scope: TaskScope): string | null {
  const [axis] = axes;
  if (axis === undefined) return null;
  const { reporter } = scope;
  const name = axis.name.text;
  const known = scope.axes.has(name);
  if (axes.length > 1) mistake(reporter, "task-axes", axes[1]!.name.span);
  if (!known && axis.size === null) {
    const near = didYouMean(name, [...scope.axes.keys()]);
    mistake(reporter, "task-axis-unknown", axis.name.span, { name }, near);
    // Told once.
    scope.axes.set(name, { op: "constant", value: 0 });
    return null;
  }
  if (known && axis.size !== null) {
    mistake(reporter, "task-axis-again", axis.name.span, { name });
    return null;
  }
  if (axis.size !== null) {
    const size = readTaskExpr(axis.size, { ...scope, index: null });
    if (size === null) return null;
    if (size.type !== "number") {
      const holes = {
        op: "[ ]",
        found: size.type === "text" ? "a text" : "true or false",
        expected: "a number",
      };
      mistake(reporter, "operand-type", axis.size.span, holes);
      return null;
    }
    if (size.expr.op === "constant") {
      const value = Number(size.expr.value);
      if (!Number.isSafeInteger(value) || value < 0) {
        mistake(reporter, "value-out-of-range", axis.size.span, {
          name,
          expected: "a whole number, at least 0",
          value,
        });
        return null;
      }
    }
    scope.axes.set(name, size.expr);
  }
  return name;
}

function readLet(clause: LetClause, scope: TaskScope): TaskLet | null {
  const { reporter } = scope;
  const name = clause.name.text;
  if (scope.drawn.has(name) || scope.values.has(name)) {
    mistake(reporter, "name-taken", clause.name.span, { name });
    return null;
  }
  if (clause.form.kind === "function") {
    mistake(reporter, "task-expression", clause.name.span, { what: "function" });
    return null;
  }
  const before = reporter.errorCount;
  const axis = clause.form.kind === "table" ? readAxis(clause.form.axes, scope) : null;
  if (reporter.errorCount > before) return null;
  const value = readTaskExpr(clause.value, { ...scope, index: axis });
  if (value === null) return null;
  if (axis !== null && !checkEnough(value.expr, scope.axes.get(axis)!, clause, scope)) return null;
  scope.drawn.set(name, { type: value.type, axis });
  return { name, axis, value: value.expr };
}

/** A table of draws has no two equal entries: there must be enough of them. */
function checkEnough(draw: TaskExpr, size: TaskExpr, clause: LetClause, { reporter }: TaskScope): boolean {
  const there =
    draw.op === "number"
      ? 9 * 10 ** (draw.digits - 1)
      : draw.op === "word"
        ? 26 ** draw.letters
        : draw.op === "pick"
          ? new Set(draw.of).size
          : Infinity;
  if (size.op !== "constant" || Number(size.value) <= there) return true;
  const holes = { name: clause.name.text, needed: Number(size.value), there };
  mistake(reporter, "task-draws-too-few", clause.value.span, holes);
  return false;
}

function readInsert(
  clause: Extract<TaskClause, { kind: "task-insert" }>,
  scope: TaskScope,
): TaskInsert | null {
  const before = scope.reporter.errorCount;
  const axis = readAxis(clause.axes, scope);
  if (scope.reporter.errorCount > before) return null;
  const inner = { ...scope, index: axis };
  const text = readTemplate(clause.text, inner);
  const at = clause.at === null ? null : readTaskExpr(clause.at, inner);
  if (text === null || (clause.at !== null && at === null)) return null;
  if (at !== null && at.type !== "number") {
    const holes = { op: "at", found: "a text", expected: "a share from 0 to 1" };
    mistake(scope.reporter, "operand-type", clause.at!.span, holes);
    return null;
  }
  return { axis, text, at: at?.expr ?? null };
}

/** Parameters of the filler that is a process, with their defaults and ranges. */
const markov: Readonly<
  Record<Exclude<keyof MarkovFiller, "kind">, { usual: number; whole: boolean; least: number; most: number }>
> = {
  words: { usual: 1000, whole: true, least: 2, most: 100_000 },
  followers: { usual: 20, whole: true, least: 1, most: 1000 },
  exponent: { usual: 1, whole: false, least: 0, most: 10 },
  copies: { usual: 0, whole: false, least: 0, most: 1 },
  span: { usual: 20, whole: true, least: 1, most: 100_000 },
  language: { usual: 1, whole: true, least: 0, most: Number.MAX_SAFE_INTEGER },
};

function readFiller(
  value: Extract<TaskClause, { kind: "filler" }>["value"],
  scope: TaskScope,
): TaskFiller | null {
  const { reporter } = scope;
  if (value.kind === "string") {
    if (value.value.trim() !== "") return { kind: "text", text: value.value };
    mistake(reporter, "task-filler-empty", value.span);
    return null;
  }
  const name = value.callee.kind === "name" ? value.callee.name : value.callee.member.text;
  if (name !== "markov") {
    mistake(reporter, "task-filler-unknown", value.callee.span, { name }, didYouMean(name, ["markov"]));
    return null;
  }
  const statics: StaticScope = { environment: scope.environment, values: scope.values };
  const names = Object.keys(markov) as (keyof typeof markov)[];
  const given: Record<string, number> = Object.fromEntries(names.map((each) => [each, markov[each].usual]));
  let ok = true;
  for (const argument of value.arguments) {
    const key = names.find((each) => each === argument.name?.text);
    if (key === undefined) {
      const written = argument.name?.text ?? "";
      const span = argument.name?.span ?? argument.value.span;
      const holes = { callee: name, name: written, parameters: names.join(", ") };
      mistake(reporter, "argument-unknown", span, holes, didYouMean(written, names));
      ok = false;
      continue;
    }
    const { whole, least, most } = markov[key];
    const read = whole
      ? count(argument.value, key, statics, reporter, least)
      : real(argument.value, key, statics, reporter);
    const expected = `from ${least} to ${most}`;
    const fits =
      read !== null &&
      within(read, read >= least && read <= most, key, expected, argument.value, reporter) !== null;
    if (fits) given[key] = read;
    else ok = false;
  }
  return ok ? ({ kind: "markov", ...given } as MarkovFiller) : null;
}
