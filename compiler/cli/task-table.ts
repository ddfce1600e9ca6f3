/** What an evaluation on tasks prints: one table of lengths and depths for each task and metric. */
import type { TaskCell, TaskResult, TasksEvaluation } from "../../runtime/tasks/evaluate-tasks.ts";
import type { MetricName } from "../../runtime/tasks/task.ts";

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Names and values of metrics; all are means over samples or tokens. */
const metrics: Readonly<
  Record<
    MetricName,
    {
      readonly name: string;
      readonly show: (cell: TaskCell) => string;
      readonly of: (cell: TaskCell) => number;
    }
  >
> = {
  exact_match: {
    name: "exact match",
    of: (cell) => cell.exactMatch,
    show: (cell) => percent(cell.exactMatch),
  },
  accuracy: {
    name: "accuracy of answer tokens",
    of: (cell) => cell.accuracy,
    show: (cell) => percent(cell.accuracy),
  },
  loss: {
    name: "loss of answer tokens, nats",
    of: (cell) => cell.loss,
    show: (cell) => cell.loss.toFixed(3),
  },
};

/** `25 %`; a depth that each sample draws is `any`. */
const depthName = (depth: number | null): string =>
  depth === null ? "any depth" : `${Number((100 * depth).toFixed(1))} %`;

const mebi = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function table({ label, cells }: TaskResult, metric: MetricName, memory: TasksEvaluation["memory"]): string {
  const { name, of, show } = metrics[metric];
  const lengths = [...new Set(cells.map((cell) => cell.length))];
  const depths = [...new Set(cells.map((cell) => cell.depth))];
  const head = ["length", ...depths.map(depthName), ...(depths.length > 1 ? ["all depths"] : []), "memory"];
  const rows = lengths.map((length) => {
    const own = cells.filter((cell) => cell.length === length);
    const mean = own.reduce((sum, cell) => sum + of(cell), 0) / own.length;
    const all = metric === "loss" ? mean.toFixed(3) : percent(mean);
    const held = memory.find((each) => each.length === length);
    return [
      String(length),
      ...own.map(show),
      ...(depths.length > 1 ? [all] : []),
      held === undefined ? "" : mebi(held.bytes),
    ];
  });
  const widths = head.map((text, n) => Math.max(text.length, ...rows.map((row) => row[n]!.length)));
  const line = (row: readonly string[]): string => row.map((text, n) => text.padStart(widths[n]!)).join("  ");
  const samples = cells[0]?.samples ?? 0;
  const each = `${samples} ${samples === 1 ? "sample" : "samples"}${cells.length > 1 ? " each" : ""}`;
  return [`${label}: ${name}, ${each}`, line(head), ...rows.map(line)].join("\n");
}

/** Every table, with an empty line before each. */
export const taskTables = ({ tasks, memory }: TasksEvaluation): string =>
  tasks.flatMap((task) => task.metrics.map((metric) => `\n${table(task, metric, memory)}\n`)).join("");
