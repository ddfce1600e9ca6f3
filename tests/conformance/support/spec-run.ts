/** The random specs of a run, batch by batch: each batch follows from the run's seed, its part and its number alone. */
import { compareSpecs, type Comparison } from "./compare-specs.ts";
import type { Target } from "./compile-kernels.ts";
import { randomSpecs, type Spec } from "./random-specs.ts";
import { randomTextSpecs } from "./random-texts.ts";
import { randomWeightedSpecs } from "./random-weighted-specs.ts";
import { compareRouted } from "./routed/compare-routed.ts";
import { randomRoutedSpecs, type RoutedSpec } from "./routed/random-routed-texts.ts";

export const runSeed = Number(process.env["LCTX_SEED"] ?? Date.now() % 1_000_000);

/** Specs compiled in one C file. */
export const together = 60;

export interface SpecPart<S = Spec> {
  /**
   * How its specs are made: as graph nodes (any shape), as text that is checked and lowered first, as nodes that have
   * a weight, a sink or turned queries, or as text that chooses, weighs and teaches.
   */
  readonly kind: "nodes" | "texts" | "weights" | "routings";
  /** Specs of batch `n`. */
  readonly specs: (n: number, count: number) => readonly S[];
  readonly compare: (specs: readonly S[], target: Target) => Promise<Comparison>;
}

const seedOf = (number: number, seed: number, batch: number): number => (seed * 16 + number) * 4096 + batch;

/** Part `number` of a run with this seed. */
export function specPart(
  kind: Exclude<SpecPart["kind"], "routings">,
  number: number,
  seed: number = runSeed,
): SpecPart {
  const make = { nodes: randomSpecs, texts: randomTextSpecs, weights: randomWeightedSpecs }[kind];
  return { kind, specs: (n, count) => make(count, seedOf(number, seed, n)), compare: compareSpecs };
}

/** The same of texts that choose, weigh and teach. */
export const routedPart = (number: number, seed: number = runSeed): SpecPart<RoutedSpec> => ({
  kind: "routings",
  specs: (n, count) => randomRoutedSpecs(count, seedOf(number, seed, n)),
  compare: async (specs, target) => ({ failures: await compareRouted(specs, target), worst: {} }),
});
