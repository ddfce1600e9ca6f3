/**
 * The table of what is known of each method whose keys are chosen or shared out: read from the examples and from the
 * JSON lines of bench/results, so that what nobody ran says so.
 *
 * A line counts for a method when it has `method`, the example's name. `what` is `criterion` (of a behaviour run: `says`,
 * `value` as a share, `target`, `holds`, `seed`), `cuda` or `kernel` (`figure`: what was compared or timed, and on what).
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkSpec } from "../compiler/check-spec.ts";

export interface ResultLine {
  readonly method: string;
  readonly what: "criterion" | "cuda" | "kernel";
  readonly scale?: string;
  readonly says?: string;
  readonly value?: number;
  readonly holds?: boolean;
  readonly seed?: number;
  readonly figure?: string;
}

/** Lines about methods, in the order of the files' names: of the same thing the last one counts. */
export function readResults(root: string): readonly ResultLine[] {
  const folder = join(root, "bench/results");
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  return files.sort().flatMap((name) =>
    readFileSync(join(folder, name), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Partial<ResultLine>)
      .filter((line): line is ResultLine => line.method !== undefined && line.what !== undefined)
      .filter(({ scale }) => scale === undefined || scale === "full"),
  );
}

const notRun = "not run";

/** Each thing that was asked of a method, over seeds: `Landmark at 4096: passkey 93–97 %, holds (3 seeds)`. */
export function behaviourOf(method: string, lines: readonly ResultLine[]): string {
  const own = lines.filter((line) => line.method === method && line.what === "criterion");
  const asked = [...new Set(own.map(({ says }) => says!))];
  if (asked.length === 0) return notRun;
  return asked
    .map((says) => {
      const bySeed = new Map(own.filter((line) => line.says === says).map((line) => [line.seed, line]));
      const values = [...bySeed.values()].map(({ value }) => 100 * value!).sort((a, b) => a - b);
      const [low, high] = [values[0]!.toFixed(1), values.at(-1)!.toFixed(1)];
      const seeds = bySeed.size === 1 ? "1 seed" : `${bySeed.size} seeds`;
      const holding = [...bySeed.values()].filter(({ holds }) => holds === true).length;
      const verdict =
        holding === bySeed.size ? "holds" : holding === 0 ? "does not hold" : `holds for ${holding}`;
      return `${says} ${low === high ? low : `${low} to ${high}`} %, ${verdict} (${seeds})`;
    })
    .join("; ");
}

/** The newest figure of a kind; `not run` where there is none. */
export function figureOf(method: string, what: "cuda" | "kernel", lines: readonly ResultLine[]): string {
  return lines.findLast((line) => line.method === method && line.what === what)?.figure ?? notRun;
}

/** Whether an example's spec checks, with the library of this repository. */
function checks(root: string, name: string): boolean {
  const read = (path: string): string | null => (existsSync(path) ? readFileSync(path, "utf8") : null);
  const path = join(root, "examples", name, "spec.lctx");
  const library = (parts: readonly string[]): string | null =>
    read(`${join(root, "stdlib", ...parts.slice(1))}.lctx`);
  return !checkSpec(path, readFileSync(path, "utf8"), { read, library }).failed;
}

export interface MethodRow {
  readonly name: string;
  /** Lines of its definition. */
  readonly lines: number;
  /** What its recorded run on the CPU gave. */
  readonly cpu: string;
}

export function printMethodsTable(root: string, rows: readonly MethodRow[]): readonly string[] {
  const results = readResults(root);
  return [
    "| method | check | reference | cpu | cuda | behaviour | kernel figure | spec lines |",
    "| --- | --- | --- | --- | --- | --- | --- | --: |",
    ...rows.map(({ name, lines, cpu }) => {
      const cells = [
        `[${name}](../examples/${name}/README.md)`,
        checks(root, name) ? "yes" : "no",
        `[reference](../examples/${name}/reference.ts)`,
        cpu,
        figureOf(name, "cuda", results),
        behaviourOf(name, results),
        figureOf(name, "kernel", results),
        String(lines),
      ];
      return `| ${cells.join(" | ")} |`;
    }),
  ];
}
