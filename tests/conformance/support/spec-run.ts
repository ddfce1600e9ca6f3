/** The random specs of a run, batch by batch: each batch follows from the run's seed, its part and its number alone. */
import { randomSpecs, type Spec } from "./random-specs.ts";
import { randomTextSpecs } from "./random-texts.ts";
import { randomWeightedSpecs } from "./random-weighted-specs.ts";

export const runSeed = Number(process.env["LCTX_SEED"] ?? Date.now() % 1_000_000);

/** Specs compiled in one C file. */
export const together = 60;

export interface SpecPart {
  /**
   * How its specs are made: as graph nodes (any shape), as text that is checked and lowered first, or as nodes that have
   * a weight, a sink or turned queries.
   */
  readonly kind: "nodes" | "texts" | "weights";
  /** Specs of batch `n`. */
  readonly specs: (n: number, count: number) => readonly Spec[];
}

/** Part `number` of a run with this seed. */
export function specPart(kind: SpecPart["kind"], number: number, seed: number = runSeed): SpecPart {
  const make = { nodes: randomSpecs, texts: randomTextSpecs, weights: randomWeightedSpecs }[kind];
  return { kind, specs: (n, count) => make(count, (seed * 16 + number) * 4096 + n) };
}
