/** What kinds of thing random specs have, so that a run can say that it tried each. */
import { someExpr } from "../../../compiler/ir/expr.ts";
import type { LoadingPart } from "../../../compiler/ir/graph.ts";
import { shapeOf } from "../../support/random-values.ts";
import type { Spec } from "./random-specs.ts";
import type { RoutedSpec } from "./routed/random-routed-texts.ts";

/** How many specs have each feature. */
export type Features = Map<string, number>;

const powerOfTwo = (n: number): boolean => (n & (n - 1)) === 0;

function weightingOf(
  { weight, sink, regions, prepended }: Spec["attention"],
  gradient: Spec["gradient"],
  length: number,
): Record<string, boolean> {
  const block = weight?.block ?? null;
  const cases = weight?.cases ?? [];
  const learns = (part: LoadingPart): boolean =>
    gradient.bufferGradients.some(({ loads }) => loads.some((load) => load.part === part));
  return {
    "a weight": weight !== null,
    "a weight without a row normaliser": weight !== null && weight.row === null,
    "a weight with prepended keys": weight !== null && prepended !== null,
    "both normalisers in one case": cases.some(({ row, local }) => row !== null && local),
    "a read at the first key of a block": cases.some(({ row }) => row === "first"),
    "a read at the last key of a block": cases.some(({ row }) => row === "last"),
    "a factor": cases.some(({ factor }) => factor !== null),
    "blocks over 64": block !== null && block.size > 64,
    "blocks longer than the text": block !== null && block.size > length,
    "a short last block": block !== null && length % block.size !== 0,
    "a learned score of a row": weight !== null && learns("row"),
    "a learned score of blocks": learns("block"),
    "a learned factor": learns(0),
    "a sink": sink !== null,
    "a learned sink": learns("sink"),
    "turned queries": regions.some(({ turn }) => turn !== null),
  };
}

function featuresOf({ attention, gradient, rotations, sizes, meaning }: Spec): Record<string, boolean> {
  const shape = (node: { axes: typeof attention.axes }): number[] => shapeOf(node.axes, sizes);
  const [, , heads, d] = shape(attention.regions[0]!.query) as [number, number, number, number];
  const groups = shape(attention.value)[2]!;
  const { mask, score } = attention;
  const loadsData = someExpr(mask, (e) => e.kind === "load" && attention.buffers[e.buffer]?.kind === "input");
  return {
    "from text": meaning !== null,
    "more than one row": sizes.batch > 1,
    "length not a multiple of 64": sizes.length % 64 !== 0,
    "odd length": sizes.length % 2 === 1,
    "length below 64": sizes.length < 64,
    "length above 64": sizes.length > 64,
    "one position": sizes.length === 1,
    "grouped heads": groups < heads,
    "head size no power of two": !powerOfTwo(d),
    "head size above 64": d > 64,
    "documents in the mask": loadsData,
    "mask by head": someExpr(mask, (e) => e.kind === "index" && e.name === "h"),
    "score other than the logit": score.kind !== "logit",
    "gradient of a learned table": gradient.bufferGradients.length > 0,
    "two loads of one table": gradient.bufferGradients.some(({ loads }) => loads.length > 1),
    "several regions": attention.regions.length > 1,
    "three regions": attention.regions.length > 2,
    rotation: rotations.length > 0,
    "prepended keys": attention.prepended !== null,
    "later queries only": sizes["query-start"] > 0,
    "one thread": sizes.threads === 1,
    "several threads": sizes.threads > 1,
    ...weightingOf(attention, gradient, sizes.length),
  };
}

export function countFeatures(specs: readonly Spec[], counts: Features): void {
  for (const spec of specs)
    for (const [name, has] of Object.entries(featuresOf(spec)))
      counts.set(name, (counts.get(name) ?? 0) + (has ? 1 : 0));
}

/** Features that routed texts say they have. */
export function countRoutedFeatures(specs: readonly RoutedSpec[], counts: Features): void {
  for (const { features } of specs)
    for (const name of new Set(features)) counts.set(name, (counts.get(name) ?? 0) + 1);
}
