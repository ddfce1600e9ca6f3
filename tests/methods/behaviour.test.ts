/** The behaviour runs: every spec is right at every scale, with what the runner sets in it, and criteria read what is measured. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { criteria, scales, workOf, type Found } from "../../bench/behaviour/jobs.ts";
import { behaviourOf, figureOf, type ResultLine } from "../../scripts/methods-table.ts";
import { checkFile, root } from "../support/check-text.ts";

const folder = join(root, "bench/behaviour");

describe("behaviour runs", () => {
  it.each(Object.values(scales))("check at scale $name", (scale) => {
    const { trainings, measures } = workOf(scale);
    const used = new Set<string>(["tasks.lctx"]);
    const checked = new Set<string>();
    const check = (spec: string, overrides: readonly string[]): void => {
      used.add(spec);
      const key = [spec, ...overrides].join(" ");
      if (!checked.has(key)) checkFile(join(folder, spec), overrides);
      checked.add(key);
    };
    for (const { spec, overrides } of trainings) check(spec, overrides);
    for (const { spec, overrides } of measures) if (spec !== null) check(spec, overrides);
    expect([...used].sort()).toEqual(readdirSync(folder).filter((name) => name.endsWith(".lctx")));
    // Weights come from runs before, and are asked after they were trained.
    const names = trainings.map(({ name }) => name);
    for (const { name, from } of trainings)
      if (from !== null) expect(names.indexOf(from)).toBeLessThan(names.indexOf(name));
    for (const { run } of measures) expect(names).toContain(run);
  });

  it("judge what was measured, and nothing else", () => {
    const scale = scales.full;
    const measures = workOf(scale).measures.map(({ run, label, task, length }): Found => ({
      seed: 1,
      run,
      label,
      task,
      length,
      exactMatch: task === null ? null : run === "base" && label === "plain" && length === scale.far ? 0 : 1,
      accuracy: 1,
      loss: label === "mean-pool" ? 1.1 : 1,
    }));
    expect(criteria(measures, scale).map(({ says, holds }) => [says, holds])).toEqual(
      criteria(measures, scale).map(({ says }) => [says, true]),
    );
    expect(criteria([], scale).every(({ value, holds }) => value === null && holds === null)).toBe(true);
    const worse = measures.map((found) => ({ ...found, loss: found.label === "gate" ? 1.2 : found.loss }));
    const failing = criteria(worse, scale).filter(({ holds }) => holds === false);
    expect(failing.map(({ says }) => says)).toEqual([
      "loss without 75 % of tiles",
      "loss less that of mean-pooling",
    ]);
  });
});

describe("the table of methods", () => {
  const line = (seed: number, value: number, holds: boolean): ResultLine => {
    return { method: "landmark", what: "criterion", scale: "full", says: "passkey", value, holds, seed };
  };

  it("says what seeds found, the newest run of each, or that nobody ran it", () => {
    expect(behaviourOf("landmark", [])).toBe("not run");
    expect(behaviourOf("longheads", [line(1, 1, true)])).toBe("not run");
    expect(behaviourOf("landmark", [line(1, 0.5, false), line(1, 0.95, true)])).toBe(
      "passkey 95.0 %, holds (1 seed)",
    );
    const seeds = [line(1, 0.95, true), line(2, 0.85, false), line(3, 1, true)];
    expect(behaviourOf("landmark", seeds)).toBe("passkey 85.0 to 100.0 %, holds for 2 (3 seeds)");
    const figures: ResultLine[] = [
      { method: "landmark", what: "kernel", figure: "0.7" },
      { method: "landmark", what: "kernel", figure: "0.8 of dense" },
    ];
    expect(figureOf("landmark", "kernel", figures)).toBe("0.8 of dense");
    expect(figureOf("landmark", "cuda", figures)).toBe("not run");
  });
});
