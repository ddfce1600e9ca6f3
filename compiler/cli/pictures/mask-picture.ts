/** Draws masks: a grid of visible (query, key) pairs as SVG, PNG or terminal text. */
import { encode } from "fast-png";

/** visible[q][k] as 0 or 1; `weight` between 0 and 1 shades (share of heads that see the pair). */
export interface MaskGrid {
  readonly queries: number;
  readonly keys: number;
  /** Row-major, one number a pair, 0 … 1. */
  readonly values: Float64Array;
  readonly title: string;
}

/** Families to draw text with, the likeliest to be there first. */
export const fontFamily = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif";

const ink = { r: 38, g: 84, b: 160 };
const paper = { r: 246, g: 247, b: 250 };

function shade(value: number): [number, number, number] {
  const mix = (from: number, to: number): number => Math.round(from + (to - from) * value);
  return [mix(paper.r, ink.r), mix(paper.g, ink.g), mix(paper.b, ink.b)];
}

/** Text that is safe inside SVG. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (ch) => `&#${ch.charCodeAt(0)};`);
}

const font = `font-family="${fontFamily}" font-size="12" fill="#333"`;
const small = `font-family="${fontFamily}" font-size="10" fill="#666"`;
const rgb = (value: number): string => `rgb(${shade(value).join(",")})`;

/** Swatches with what they mean: hidden, visible and, where heads differ, visible to some of them. */
function legend(grid: MaskGrid, left: number, top: number): string[] {
  const some = [...new Set(grid.values)].filter((value) => value > 0 && value < 1).sort((a, b) => a - b);
  const middle = some[Math.floor(some.length / 2)];
  const entries: [number, string][] = [
    [0, "hidden"],
    ...(middle === undefined ? [] : [[middle, "to some heads"] as [number, string]]),
    [1, "visible"],
  ];
  return entries.flatMap(([value, text], n) => [
    `<rect x="${left + n * 110}" y="${top}" width="12" height="12" fill="${rgb(value)}" stroke="#99a"/>`,
    `<text x="${left + n * 110 + 18}" y="${top + 10}" ${font}>${text}</text>`,
  ]);
}

/** Positions to write beside a picture: about eight, at round distances. */
function ticks(count: number): number[] {
  const step =
    [1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256, 500].find((each) => count / each <= 9) ?? 512;
  return Array.from({ length: Math.ceil(count / step) }, (_, n) => n * step);
}

/** A mask with its axes and a legend. Rows of equal pairs become one rectangle, so pictures stay small. */
export function maskSvg(grid: MaskGrid): string {
  const cell = Math.max(2, Math.floor(480 / Math.max(grid.queries, grid.keys)));
  const left = 58;
  const top = 60;
  const width = grid.keys * cell;
  const height = grid.queries * cell;
  const parts: string[] = [];
  for (let q = 0; q < grid.queries; q++) {
    let k = 0;
    while (k < grid.keys) {
      const value = grid.values[q * grid.keys + k]!;
      let end = k + 1;
      while (end < grid.keys && grid.values[q * grid.keys + end] === value) end++;
      if (value > 0)
        parts.push(
          `<rect x="${left + k * cell}" y="${top + q * cell}" width="${(end - k) * cell}" height="${cell}" fill="${rgb(value)}"/>`,
        );
      k = end;
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + Math.max(width, 300) + 20}" height="${top + height + 34}" shape-rendering="crispEdges">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="${rgb(0)}" stroke="#99a"/>`,
    ...parts,
    `<text x="${left}" y="18" ${font} font-weight="bold">${escapeXml(grid.title)}</text>`,
    `<text x="${left}" y="38" ${font}>key position k →</text>`,
    `<text transform="translate(18 ${top + Math.min(height, 110)}) rotate(-90)" ${font}>← query position q</text>`,
    ...ticks(grid.keys).map(
      (k) => `<text x="${left + (k + 0.5) * cell}" y="${top - 5}" text-anchor="middle" ${small}>${k}</text>`,
    ),
    ...ticks(grid.queries).map(
      (q) =>
        `<text x="${left - 5}" y="${top + (q + 0.5) * cell + 3.5}" text-anchor="end" ${small}>${q}</text>`,
    ),
    ...legend(grid, left, top + height + 12),
    `</svg>`,
    "",
  ].join("\n");
}

/** One or more pixels a pair, no labels: exact for any size. */
export function maskPng(grid: MaskGrid): Uint8Array {
  const cell = Math.max(1, Math.floor(512 / Math.max(grid.queries, grid.keys)));
  const width = grid.keys * cell;
  const height = grid.queries * cell;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = grid.values[Math.floor(y / cell) * grid.keys + Math.floor(x / cell)]!;
      data.set(shade(value), (y * width + x) * 3);
    }
  }
  return encode({ width, height, data, channels: 3, depth: 8 });
}

/** Numbers of the keys above their columns, as many as have room. */
function keyNumbers(keys: number, step: number): string {
  let line = "";
  for (let k = 0; k < keys; k += step) {
    const at = (k / step) * 2;
    if (line.length > at || (line !== "" && line.length === at)) continue;
    if (keys <= 10 || (k / step) % 4 === 0) line = line.padEnd(at) + String(k);
  }
  return line;
}

/** Blocks and dots, one row a query; wide grids are sampled to fit `columns`. */
export function maskText(grid: MaskGrid, columns: number): string {
  const step = Math.max(1, Math.ceil(Math.max(grid.keys * 2, grid.queries) / Math.max(16, columns - 8)));
  const sampled =
    step > 1 ? `  (every ${step}${step === 2 ? "nd" : step === 3 ? "rd" : "th"} of ${grid.keys})` : "";
  const lines = [`${grid.title}${sampled}`, `    k→ ${keyNumbers(grid.keys, step)}`.trimEnd()];
  for (let q = 0; q < grid.queries; q += step) {
    let line = `q=${q}`.padEnd(7);
    for (let k = 0; k < grid.keys; k += step) {
      const value = grid.values[q * grid.keys + k]!;
      line += value === 0 ? "· " : value === 1 ? "■ " : "▒ ";
    }
    lines.push(line.trimEnd());
  }
  return `${lines.join("\n")}\n`;
}
