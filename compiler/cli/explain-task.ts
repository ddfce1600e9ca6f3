/** What `lctx explain task` prints: a sample of each task that a spec trains or is evaluated on. */
import { Sampler } from "../../runtime/tasks/sampler.ts";
import type { TaskSettings } from "../../runtime/tasks/task.ts";
import { byteTokenizer } from "../../runtime/tokens/bytes.ts";
import type { CheckedSpec } from "./checked-spec.ts";
import { UsageError } from "./exit-codes.ts";

/** Tasks of a spec, each once. */
function tasksOf({ project }: CheckedSpec): readonly TaskSettings[] {
  const evaluated = project.evaluations.flatMap(({ tasks }) => tasks.map(({ task }) => task));
  const trained = [...project.recipes.values()].flatMap(({ stages }) =>
    stages.flatMap(({ data }) =>
      (data.mix ?? []).flatMap((part) => (part.kind === "task" ? [part.task] : [])),
    ),
  );
  return [...new Map([...evaluated, ...trained].map((task) => [task.label, task])).values()];
}

/** Samples of `length` bytes, the answer on a line of its own. Throws a UsageError for an unknown name. */
export async function explainTask(
  spec: CheckedSpec,
  name: string | undefined,
  length: number,
): Promise<string> {
  const all = tasksOf(spec);
  const shown = name === undefined ? all : all.filter((task) => task.name === name);
  if (shown.length === 0)
    throw new UsageError(
      name === undefined ? "the spec uses no task" : `the spec uses no task called ${JSON.stringify(name)}`,
      all.length === 0
        ? "add `evaluate Model { task needle at lengths 512 }`"
        : `it uses ${[...new Set(all.map((task) => task.name))].join(", ")}`,
    );
  return shown
    .map((task) => {
      const request = { length, depth: 0.5, seed: 1, purpose: "shown", number: 0 };
      const { tokens, answerStart } = new Sampler(task, byteTokenizer).sample(request);
      const text = (from: number, to: number): string => byteTokenizer.decode(tokens.slice(from, to));
      const head = `${task.label}: ${length} bytes${task.readsDepth ? ", depth 50 %" : ""}`;
      if (answerStart === null) return `${head}\n\n${text(0, length)}\n`;
      return `${head}\n\n${text(0, answerStart)}\n\nanswer: ${text(answerStart, length)}\n`;
    })
    .join("\n");
}
