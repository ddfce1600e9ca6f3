/** Draws loss curves from a run's metrics: SVG through vega-lite, terminal through asciichart. */
import { readFileSync } from "node:fs";
import asciichart from "asciichart";
import { fontFamily } from "./mask-picture.ts";

/** One line of metrics.jsonl that the curve uses. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
  readonly series: "train" | "validation";
}

/** Reads a run's metrics.jsonl; lines that are not numbers for a loss are left out. */
export function readLosses(path: string): LossPoint[] {
  const points: LossPoint[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line.trim() === "") continue;
    const record: unknown = JSON.parse(line);
    if (typeof record !== "object" || record === null) continue;
    const { kind, step, loss } = record as Record<string, unknown>;
    if (typeof step !== "number" || typeof loss !== "number") continue;
    points.push({ step, loss, series: kind === "evaluation" ? "validation" : "train" });
  }
  return points;
}

/** A line chart of the losses. */
export async function lossSvg(points: readonly LossPoint[], title: string): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  const spec = vegaLite.compile({
    title,
    width: 560,
    height: 260,
    background: "white",
    data: { values: points.map((point) => ({ ...point })) },
    config: { font: fontFamily },
    encoding: {
      x: { field: "step", type: "quantitative", title: "step" },
      y: { field: "loss", type: "quantitative", title: "loss (nats)", scale: { zero: false } },
      color: { field: "series", type: "nominal", title: null },
    },
    layer: [
      { mark: { type: "line", clip: true, strokeWidth: 1.6 } },
      // A validation curve has few points, at first a single one, which is no line.
      {
        mark: { type: "point", filled: true, size: 36, opacity: 1 },
        transform: [{ filter: "datum.series === 'validation'" }],
      },
    ],
  }).spec;
  return new vega.View(vega.parse(spec), { renderer: "none" }).toSVG();
}

/** A chart of the training loss for a terminal of the given width. */
export function lossText(points: readonly LossPoint[], columns: number): string {
  const losses = points.filter((point) => point.series === "train").map((point) => point.loss);
  if (losses.length === 0) return "no losses yet\n";
  const width = Math.max(20, Math.min(columns - 12, losses.length));
  const sampled = Array.from({ length: width }, (_, n) => {
    const from = Math.floor((n * losses.length) / width);
    const to = Math.max(from + 1, Math.floor(((n + 1) * losses.length) / width));
    const slice = losses.slice(from, to);
    return slice.reduce((sum, value) => sum + value, 0) / slice.length;
  });
  return `${asciichart.plot(sampled, { height: 14 })}\n`;
}
