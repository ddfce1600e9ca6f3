/** What all backends ask of the stages of a rows step: which pass over a row computes them, and which are worth storing. */
import { someExpr, type Expr, type UnaryOp } from "../ir/expr.ts";
import type { RowsStep } from "../ir/schedule.ts";

function stagesRead({ inputs }: RowsStep, body: Expr): readonly number[] {
  const read: number[] = [];
  someExpr(body, (e) => {
    if (e.kind === "operand" && e.index >= inputs.length) read.push(e.index - inputs.length);
    return false;
  });
  return read;
}

/** For maps: the pass that can first compute them. For reductions: the pass that folds. For row maps: the pass before which they are known. */
export function rowsLevels(step: RowsStep): readonly number[] {
  const levels: number[] = [];
  for (const stage of step.stages) {
    let level = 0;
    for (const n of stagesRead(step, stage.body))
      level = Math.max(level, step.stages[n]!.kind === "reduce" ? levels[n]! + 1 : levels[n]!);
    levels.push(level);
  }
  return levels;
}

/** Operations that cost more than reading a stored value again. */
const slow: ReadonlySet<UnaryOp> = new Set(["exp", "log", "tanh", "sigmoid", "erf", "sin", "cos"]);
export const isSlow = (body: Expr): boolean =>
  someExpr(
    body,
    (e) =>
      (e.kind === "unary" && slow.has(e.op)) ||
      e.kind === "uniform" ||
      (e.kind === "binary" && e.op === "pow"),
  );
