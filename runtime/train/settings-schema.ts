/** Checks settings that come as JSON, and says what changed between two of them. */
import { createHash } from "node:crypto";
import * as z from "zod";
import { LctxError } from "../errors.ts";
import { evaluationsSchema, mixSchema } from "../tasks/schema.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { TrainSettings } from "./settings.ts";

// Settings are checked once a process; code made for checking them fast would cost more than it saves.
z.config({ jitless: true });

const count = z.number().int().min(1);
const whole = z.number().int().min(0);
const real = z.number();
const share = z.number().min(0).lt(1);

const stage = z.strictObject({
  name: z.string().min(1),
  data: z.strictObject({
    source: z.string(),
    mix: mixSchema.optional(),
    tokenizer: z.string(),
    length: count,
    packed: z.boolean(),
    cut: z.boolean().optional(),
    insert: z.strictObject({ token: z.string(), every: count }).nullable(),
    validate: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("share"), value: share }),
      z.strictObject({ kind: z.literal("tokens"), value: whole }),
    ]),
  }),
  loss: z.strictObject({
    objective: z.string(),
    answersOnly: z.boolean().optional(),
    exceptToken: z.string().nullable(),
    exceptPositions: z.array(z.tuple([whole, whole])),
  }),
  optimizer: z.strictObject({
    name: z.string(),
    lr: real.min(0),
    values: z.record(z.string(), z.union([real, z.array(real)])),
  }),
  schedule: z.strictObject({
    warmup: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("steps"), value: whole }),
      z.strictObject({ kind: z.literal("share"), value: z.number().min(0).max(1) }),
    ]),
    shape: z.enum(["constant", "cosine", "linear"]),
    to: real.min(0),
    steps: count,
  }),
  batch: z.strictObject({ sequences: count, accumulate: count }),
  clip: real.positive().nullable(),
  precision: z.literal("f32"),
  evaluate: z.strictObject({ every: whole, rows: count.nullable() }),
});

const schema: z.ZodType<TrainSettings> = z.strictObject({
  format: z.literal(1),
  model: z.string().min(1),
  seed: whole.max(Number.MAX_SAFE_INTEGER),
  stages: z.array(stage).min(1),
  checkpoint: z.strictObject({ every: whole, keep: count }),
  evaluations: evaluationsSchema.optional(),
});

/** The settings, if they are whole and sensible. Throws LctxError `settings-invalid` that lists every mistake. */
export function checkSettings(value: unknown): TrainSettings {
  const result = schema.safeParse(value);
  if (!result.success) {
    const mistakes = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new LctxError("settings-invalid", `the training settings are wrong:\n  ${mistakes.join("\n  ")}`);
  }
  const names = result.data.stages.map((entry) => entry.name);
  if (new Set(names).size < names.length) {
    throw new LctxError("settings-invalid", `two stages have the same name (${names.join(", ")})`);
  }
  return result.data;
}

/** What settings say about the numbers a run computes: everything but when it is looked at and saved, and on what it is tried afterwards. */
function essence(settings: TrainSettings): unknown {
  const { checkpoint: _, evaluations: _tasks, stages, ...rest } = settings;
  return { ...rest, stages: stages.map(({ evaluate: _cadence, ...entry }) => entry) };
}

/** Two runs with the same hash, text and program compute the same numbers. */
export function settingsHash(settings: TrainSettings): string {
  return createHash("sha256")
    .update(canonicalJson(essence(settings)))
    .digest("hex");
}

/** Paths whose values differ, as `path: before → now`. */
export function settingsChanges(before: TrainSettings, now: TrainSettings): string[] {
  const changes: string[] = [];
  const compare = (path: string, a: unknown, b: unknown): void => {
    if (canonicalJson(a ?? null) === canonicalJson(b ?? null)) return;
    const bothObjects = [a, b].every((side) => typeof side === "object" && side !== null);
    if (!bothObjects) {
      changes.push(`${path}: ${JSON.stringify(a) ?? "nothing"} → ${JSON.stringify(b) ?? "nothing"}`);
      return;
    }
    const [left, right] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      compare(path === "" ? key : `${path}.${key}`, left[key], right[key]);
    }
  };
  compare("", essence(before), essence(now));
  return changes;
}
