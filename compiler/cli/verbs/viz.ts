/** `lctx viz`: draws masks, what selections choose, model graphs and loss curves, to a file or in the terminal. */
import { renameSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { modelToGraph } from "../../lower/model-to-graph.ts";
import { optimizeGraph } from "../../passes/pipeline.ts";
import { printGraph } from "../../ir/print-graph.ts";
import { masksOf } from "../attention-masks.ts";
import { openChecked, pick } from "../checked-spec.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { maskSvg, maskText } from "../pictures/mask-picture.ts";

interface VizOptions {
  readonly out?: string;
  readonly length?: number;
  readonly set: readonly string[];
  /** With `choice`: a run whose weights and text are used; the attention's path; one head. */
  readonly run?: string;
  readonly site?: string;
  readonly head?: number;
}

/** Writes a file whole or not at all. */
function writeWhole(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
  process.stdout.write(`wrote ${path}\n`);
}

async function writePicture(path: string, svg: () => Promise<string>): Promise<void> {
  switch (extname(path).toLowerCase()) {
    case ".svg":
      return writeWhole(path, await svg());
    case ".png": {
      const { svgToPng } = await import("../pictures/svg-to-png.ts");
      return writeWhole(path, svgToPng(await svg()));
    }
    default:
      throw new UsageError(`${path} is neither a .png nor a .svg file`);
  }
}

const columns = (): number => process.stdout.columns || 100;

async function vizMask(source: string, name: string | undefined, options: VizOptions): Promise<number> {
  const opened = openChecked(source, options.set);
  const length = options.length ?? (options.out === undefined ? 24 : 64);
  if (length < 1 || length > 2048) throw new UsageError("--length takes 1 to 2048");
  const masks = masksOf(opened.project, length, name);
  if (options.out === undefined) {
    for (const { grid } of masks) process.stdout.write(`${maskText(grid, columns())}\n`);
    return exitCodes.ok;
  }
  for (const [n, { grid }] of masks.entries()) {
    const end = extname(options.out);
    const path = n === 0 ? options.out : `${options.out.slice(0, -end.length)}-${n + 1}${end}`;
    await writePicture(path, async () => maskSvg(grid));
  }
  return exitCodes.ok;
}

/** Pictures are made by the interpreter, whose time grows with the square of the length. */
const longestChoice = 512;

async function vizChoice(source: string, name: string | undefined, options: VizOptions): Promise<number> {
  const opened = openChecked(source, options.set);
  const length = options.length ?? 64;
  if (length > longestChoice) throw new UsageError(`--length takes 1 to ${longestChoice}`);
  const { chosenPairs } = await import("../chosen-pairs.ts");
  const { randomRow, runRow } = await import("../chosen-row.ts");
  const model = pick(opened.project.models, name, "model");
  const { site, head } = options;
  const row = options.run === undefined ? randomRow(length, 1) : runRow(options.run, length);
  const grid = await chosenPairs(model, { site, head, ...row });
  const { out } = options;
  if (out === undefined) process.stdout.write(`${maskText(grid, columns())}\n`);
  else await writePicture(out, async () => maskSvg(grid));
  return exitCodes.ok;
}

async function vizGraph(source: string, name: string | undefined, options: VizOptions): Promise<number> {
  const opened = openChecked(source, options.set);
  const model = pick(opened.project.models, name, "model");
  const graph = optimizeGraph(modelToGraph(model, { phase: "evaluation", output: "logits" }));
  if (options.out === undefined) process.stdout.write(`${printGraph(graph)}\n`);
  else {
    const { graphSvg } = await import("../pictures/graph-picture.ts");
    await writePicture(options.out, () => graphSvg(graph, model.name));
  }
  return exitCodes.ok;
}

async function vizLoss(source: string, options: VizOptions): Promise<number> {
  const { lossSvg, lossText, readLosses } = await import("../pictures/loss-picture.ts");
  let points;
  try {
    points = readLosses(join(source, "metrics.jsonl"));
  } catch {
    throw new UsageError(`${source} has no metrics`, "name a folder that `lctx train` made");
  }
  if (options.out === undefined) process.stdout.write(lossText(points, columns()));
  else await writePicture(options.out, () => lossSvg(points, source));
  return exitCodes.ok;
}

export async function viz(
  what: string,
  source: string,
  name: string | undefined,
  options: VizOptions,
): Promise<number> {
  if (what !== "choice" && [options.run, options.site, options.head].some((each) => each !== undefined))
    throw new UsageError("--run, --site and --head are about choices", "lctx viz choice <spec>");
  if (what === "mask") return vizMask(source, name, options);
  if (what === "choice") return vizChoice(source, name, options);
  if (what === "graph") return vizGraph(source, name, options);
  if (what === "loss") return vizLoss(source, options);
  throw new UsageError(
    `there is nothing to draw called ${JSON.stringify(what)}`,
    "draw a mask, choice, graph or loss",
  );
}
