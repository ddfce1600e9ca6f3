/** Prints the clauses of attentions, modules, adapters, optimizers and rotations. */
import type {
  AdapterClause,
  AttentionClause,
  Expr,
  LetClause,
  ModuleClause,
  Parameter,
  ParamClause,
  RotateClause,
  RotationClause,
  SelectClause,
  StateClause,
  UpdateClause,
} from "./ast.ts";
import { printAxes, printExpr, type Layout } from "./print-expr.ts";
import { type LayoutState, type Unit, widest } from "./print-layout.ts";

export type AnyClause =
  AttentionClause | ModuleClause | AdapterClause | RotationClause | LetClause | StateClause | UpdateClause;

export const layoutOf = (state: LayoutState, indent: number): Layout => ({
  breaks: (from, to) => state.breaks(from, to),
  indent,
  hang: indent + 4,
});

/** The column after `text`, of which the first line starts at `indent`. */
const columnAfter = (indent: number, text: string): number => {
  const lineBreak = text.lastIndexOf("\n");
  return lineBreak === -1 ? indent + text.length : text.length - lineBreak - 1;
};

/** `(a: Count, b: Real = 1)`: broken one a line when it was, when it holds comments, or when the line is too long. */
export function printParameters(
  head: string,
  parameters: readonly Parameter[],
  state: LayoutState,
  indent: number,
  from: number,
  tail: number,
): string {
  const [first] = parameters;
  if (first === undefined) return head;
  const end = parameters[parameters.length - 1]!.span.end;
  const print = (parameter: Parameter, inner: number): string => {
    const layout = layoutOf(state, inner);
    let text = parameter.name.text + printAxes(parameter.axes, layout, inner);
    if (parameter.type !== null)
      text += `: ${parameter.type.text}${printAxes(parameter.typeAxes, layout, inner)}`;
    if (parameter.value !== null)
      text += ` = ${printExpr(parameter.value, layout, columnAfter(inner, text) + 3)}`;
    return text;
  };
  const line = `${head}(${parameters.map((parameter) => print(parameter, indent + 2)).join(", ")})`;
  const fits = !line.includes("\n") && indent + line.length + tail <= widest;
  if (fits && !state.breaks(from, first.span.start) && !state.hasComments(from, end)) return line;
  const units = parameters.map((parameter, index): Unit => ({
    start: parameter.span.start,
    end: parameter.span.end,
    text: print(parameter, indent + 2) + (index < parameters.length - 1 ? "," : ""),
    align: null,
  }));
  return `${head}(\n${state.lines(units, from, end, indent + 2)}${" ".repeat(indent)})`;
}

/** `head = value`, with the value on a line of its own where the author put it there. */
export function assignment(
  head: string,
  headEnd: number,
  value: Expr,
  state: LayoutState,
  indent: number,
): { readonly text: string; readonly tail: string } {
  const layout = layoutOf(state, indent);
  if (state.breaksAfterSign(headEnd, value.span.start)) {
    const tail = ` =\n${" ".repeat(indent + 2)}${printExpr(value, layout, indent + 2)}`;
    return { text: head + tail, tail };
  }
  const tail = ` = ${printExpr(value, layout, columnAfter(indent, head) + 3)}`;
  return { text: head + tail, tail };
}

export function printLetHead(clause: LetClause, state: LayoutState, indent: number): string {
  const { form } = clause;
  const head = `let ${clause.name.text}`;
  switch (form.kind) {
    case "table":
      return head + printAxes(form.axes, layoutOf(state, indent), indent);
    case "function":
      return `${head}(${form.parameters.map((parameter) => parameter.text).join(", ")})`;
    case "value":
      return head;
  }
  form satisfies never;
  return head;
}

function printParam(clause: ParamClause, state: LayoutState, indent: number): string {
  const layout = layoutOf(state, indent);
  let text = "param ";
  clause.tables.forEach((table, index) => {
    const before = clause.tables[index - 1];
    if (before !== undefined)
      text += state.breaks(before.span.end, table.span.start) ? `,\n${" ".repeat(indent + 6)}` : ", ";
    text += table.name.text + printAxes(table.axes, layout, columnAfter(indent, text));
    if (table.init !== null) text += ` = ${printExpr(table.init, layout, columnAfter(indent, text) + 3)}`;
    if (table.where !== null)
      text += ` where ${printExpr(table.where, layout, columnAfter(indent, text) + 7)}`;
  });
  return text;
}

function printRotate(clause: RotateClause, state: LayoutState, indent: number): string {
  const layout = layoutOf(state, indent);
  let text = "rotate ";
  clause.positions.forEach(({ name, at }, index) => {
    text += `${index > 0 ? ", " : ""}${name.text} at `;
    text += printExpr(at, layout, columnAfter(indent, text));
  });
  if (clause.where !== null)
    text += ` where ${printExpr(clause.where, layout, columnAfter(indent, text) + 7)}`;
  return text;
}

/** On one line, or each part on its own where the author put `by` on a new line or one line is too long. */
function printSelect(clause: SelectClause, state: LayoutState, indent: number): string {
  const layout = layoutOf(state, indent);
  const head = `select ${clause.name.text}[${clause.axes.map((axis) => axis.text).join(", ")}] from ${clause.from.text}`;
  const parts: { readonly word: string; readonly value: Expr }[] = [
    { word: "by", value: clause.by },
    { word: clause.limit.kind, value: clause.limit.value },
  ];
  if (clause.always !== null) parts.push({ word: "always", value: clause.always });
  if (clause.where !== null) parts.push({ word: "where", value: clause.where });
  if (!state.breaks(clause.from.span.end, clause.by.span.start)) {
    let line = head;
    for (const { word, value } of parts)
      line += ` ${word} ${printExpr(value, layout, columnAfter(indent, line) + word.length + 2)}`;
    if (!line.includes("\n") && indent + line.length <= widest) return line;
  }
  const margin = " ".repeat(indent + 2);
  const rows = parts.map(
    ({ word, value }) => `\n${margin}${word.padEnd(8)}${printExpr(value, layout, indent + 10)}`,
  );
  return head + rows.join("");
}

/** One clause as a unit of its block. */
export function clauseUnit(clause: AnyClause, state: LayoutState, indent: number): Unit {
  const layout = layoutOf(state, indent);
  const { start, end } = clause.span;
  const unit = (text: string, align: Unit["align"] = null): Unit => ({ start, end, text, align });
  const worded = (word: string, value: Expr): Unit =>
    unit(`${word} ${printExpr(value, layout, indent + word.length + 1)}`);
  const assigned = (kind: string, head: string, headEnd: number, value: Expr, rest = ""): Unit => {
    const { text, tail } = assignment(head, headEnd, value, state, indent);
    return unit(text + rest, { kind, head, tail: tail + rest });
  };
  switch (clause.kind) {
    case "blocks":
      return worded(`blocks ${clause.name.text} by`, clause.size);
    case "diagonals":
      return assigned("diagonals", `diagonals ${clause.name.text}`, clause.name.span.end, clause.value);
    case "param":
      return unit(printParam(clause, state, indent));
    case "let": {
      const { form } = clause;
      const last = form.kind === "table" ? form.axes.at(-1) : undefined;
      const headEnd =
        form.kind === "function"
          ? (form.parameters.at(-1)?.span.end ?? clause.name.span.end)
          : (last?.size?.span.end ?? last?.name.span.end ?? clause.name.span.end);
      return assigned("let", printLetHead(clause, state, indent), headEnd, clause.value);
    }
    case "mask-clause":
      return worded("mask", clause.value);
    case "ahead":
      return worded("ahead", clause.value);
    case "score-clause":
      return assigned("score", "score", start + "score".length, clause.value);
    case "weight-clause":
      return assigned("weight", "weight", start + "weight".length, clause.value);
    case "rotate":
      return unit(printRotate(clause, state, indent));
    case "select":
      return unit(printSelect(clause, state, indent));
    case "teach": {
      const word = `teach ${clause.name.text} by ${clause.by.text} from`;
      const text = `${word} ${printExpr(clause.from, layout, indent + word.length + 1)}`;
      if (clause.scale === null) return unit(text);
      return unit(`${text} scale ${printExpr(clause.scale, layout, columnAfter(indent, text) + 7)}`);
    }
    case "phase": {
      const head = clause.phase === null ? "otherwise" : `when ${clause.phase.text}`;
      const from = clause.phase?.span.end ?? start + "otherwise".length;
      const text = state.block({
        head,
        from,
        to: end,
        indent,
        separator: null,
        units: (inner) => clause.clauses.map((child) => clauseUnit(child, state, inner)),
      });
      // Neighbouring phases on one line each line up their braces, however long the phase's name.
      return unit(text, { kind: "phase", head, tail: text.slice(head.length) });
    }
    case "input": {
      const axes = printAxes(clause.axes, layout, indent);
      return unit(`input ${clause.name.text}${axes}${clause.type === null ? "" : `: ${clause.type.text}`}`);
    }
    case "adapter-input":
      return worded("input", clause.value);
    case "child": {
      const path = clause.path.map((part) => part.text).join(".");
      const axes = clause.repeat === null ? "" : printAxes([clause.repeat], layout, indent);
      const head = `${clause.repeat === null ? "child" : "repeat"} ${path}${axes}`;
      const headEnd =
        clause.repeat?.size?.span.end ?? clause.repeat?.name.span.end ?? clause.path.at(-1)!.span.end;
      const where = clause.where === null ? "" : ` where ${printExpr(clause.where, layout, indent)}`;
      return assigned(clause.repeat === null ? "child" : "repeat", head, headEnd, clause.module, where);
    }
    case "site":
      return unit(`site ${clause.site.text}`);
    case "output":
      return worded("output", clause.value);
    case "prepend": {
      let text = "prepend ";
      clause.parts.forEach(({ target, value }, index) => {
        text += `${index > 0 ? ", " : ""}${target.text} `;
        text += printExpr(value, layout, columnAfter(indent, text));
      });
      return unit(text);
    }
    case "state":
      return assigned("state", `state ${clause.name.text}`, clause.name.span.end, clause.value);
    case "update":
      return worded("update", clause.value);
    case "angle":
      return worded("angle", clause.value);
    case "scale":
      return worded("scale", clause.value);
    case "rotated":
      return worded("rotated", clause.value);
    case "layout":
      return unit(`layout ${clause.value.text}`);
  }
  return clause satisfies never;
}
