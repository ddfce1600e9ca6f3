/** Texts of tasks with places to fill: `{key}`, `{key[i]}`, `{key[asked]}`, `{key[i - 1]}`; `{{` and `}}` are braces. */
import type { Expr, StringExpr } from "../../../grammar/ast.ts";
import { parseFile } from "../../../grammar/parse.ts";
import type { Template } from "../../../runtime/tasks/task.ts";
import { mistake } from "../mistakes.ts";
import { readTaskExpr, type TaskScope } from "./task-expressions.ts";
import type { Span } from "../../source/span.ts";

/** The expression of a place. It is read by the language's own grammar; in messages it lies where the text lies. */
function placeExpr(text: string, span: Span): Expr | null {
  const { file, diagnostics } = parseFile(span.file, `let place = ${text}`);
  const [item] = file.items;
  if (diagnostics.length > 0 || file.items.length !== 1 || item?.kind !== "function") return null;
  const moved = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(moved);
    if (typeof node !== "object" || node === null) return node;
    return Object.fromEntries(
      Object.entries(node).map(([key, part]) => [key, key === "span" ? span : moved(part)]),
    );
  };
  return moved(item.body) as Expr;
}

/** The template of a text; null after a report. */
export function readTemplate({ value, span }: StringExpr, scope: TaskScope): Template | null {
  const parts: Template[number][] = [];
  let text = "";
  const endText = (): void => {
    if (text !== "") parts.push(text);
    text = "";
  };
  for (let at = 0; at < value.length; at++) {
    const letter = value[at]!;
    if (letter !== "{" && letter !== "}") {
      text += letter;
      continue;
    }
    if (value[at + 1] === letter) {
      text += letter;
      at++;
      continue;
    }
    const end = letter === "{" ? value.indexOf("}", at) : -1;
    const inside = end < 0 ? "" : value.slice(at + 1, end);
    const expr = inside.trim() === "" ? null : placeExpr(inside, span);
    if (expr === null) {
      mistake(scope.reporter, "task-place", span, { place: end < 0 ? letter : value.slice(at, end + 1) });
      return null;
    }
    const read = readTaskExpr(expr, scope);
    if (read === null) return null;
    endText();
    parts.push(read.expr);
    at = end;
  }
  endText();
  return parts;
}
