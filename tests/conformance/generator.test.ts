/** The random specs have every kind of thing that kernels can be asked for, often enough; a part always gives the same ones. */
import { describe, expect, it } from "vitest";
import { countFeatures, countRoutedFeatures, type Features } from "./support/features.ts";
import { routedFeatures } from "./support/routed/routed-features.ts";
import { routedPart, specPart } from "./support/spec-run.ts";

describe("random specs", () => {
  it("have each feature in at least one of a hundred", () => {
    const counts: Features = new Map();
    const nodes = [0, 1, 2, 3, 4].flatMap((n) => specPart("nodes", 1, 11).specs(n, 300));
    const texts = [0, 1, 2].flatMap((n) => specPart("texts", 3, 11).specs(n, 60));
    countFeatures(nodes, counts);
    countFeatures(texts, counts);
    const weights = [0, 1].flatMap((n) => specPart("weights", 6, 11).specs(n, 300));
    countFeatures(weights, counts);
    const total = nodes.length + texts.length + weights.length;
    const rare = [...counts].filter(([, count]) => count < total / 100);
    expect(rare).toEqual([]);
  });

  it("choose, weigh and teach in every way, each in a share of them", () => {
    const counts: Features = new Map();
    const specs = [0, 1, 2, 3, 4].flatMap((n) => routedPart(8, 11).specs(n, 60));
    countRoutedFeatures(specs, counts);
    expect([...counts.keys()].filter((name) => !(name in routedFeatures))).toEqual([]);
    const rare = Object.entries(routedFeatures).filter(
      ([name, share]) => (counts.get(name) ?? 0) < share * specs.length,
    );
    expect(
      rare.map(([name, share]) => `${name}: ${counts.get(name) ?? 0} of ${specs.length}, not ${share}`),
    ).toEqual([]);
  }, 120_000);

  it("follow from the seed, the part and the batch", () => {
    const namesOf = (part: number, seed: number, batch: number): string[] =>
      specPart("nodes", part, seed)
        .specs(batch, 20)
        .map(({ name }) => name);
    expect(namesOf(1, 5, 2)).toEqual(namesOf(1, 5, 2));
    for (const other of [namesOf(1, 5, 3), namesOf(2, 5, 2), namesOf(1, 6, 2)])
      expect(other).not.toEqual(namesOf(1, 5, 2));
  });
});
