/** Tasks for tests: of the library by name, or written in a text. */
import { checkSpec } from "../../compiler/compile.ts";
import type { TaskSettings } from "../../runtime/tasks/task.ts";
import { diskHost } from "../support/check-text.ts";

/** The task that a call means; `definitions` are items of its file. */
export function taskOf(call: string, definitions = ""): TaskSettings {
  const text = `${definitions}
import std.masks { causal }
attention A() { mask causal }
model Small = decoder { vocab 256   layers 1   heads 2   width 8   length 16 }
train Small {
  data       task ${call} length 16
  loss       next_token
  optimizer  adamw(lr: 1e-3)
  schedule   constant over 1
  batch      1 sequences
}`;
  const { project, diagnostics } = checkSpec("spec.lctx", text, diskHost);
  const part = project?.recipes.get("Small")?.stages[0]?.data.mix?.[0];
  if (part?.kind !== "task")
    throw new Error(diagnostics.map(({ code, title }) => `${code}: ${title}`).join("\n"));
  return part.task;
}
