/** Small recipes that the training tests share. */
import type { StageSettings, TrainSettings } from "../../runtime/train/settings.ts";

export function stage(changes: Partial<StageSettings> = {}): StageSettings {
  return {
    name: "main",
    data: {
      source: "text.txt",
      tokenizer: "bytes",
      length: 16,
      packed: false,
      insert: null,
      validate: { kind: "share", value: 0.1 },
    },
    loss: { objective: "next_token", exceptToken: null, exceptPositions: [] },
    optimizer: { name: "momentum", lr: 0.5, values: { momentum: 0.9 } },
    schedule: { warmup: { kind: "steps", value: 3 }, shape: "cosine", to: 0.05, steps: 20 },
    batch: { sequences: 2, accumulate: 2 },
    clip: 1,
    precision: "f32",
    evaluate: { every: 5, rows: 8 },
    ...changes,
  };
}

export function recipe(changes: Partial<TrainSettings> = {}): TrainSettings {
  return {
    format: 1,
    model: "Bigram",
    seed: 7,
    stages: [stage()],
    checkpoint: { every: 4, keep: 2 },
    ...changes,
  };
}

/** A text of about 8 kB with structure to learn, the same on every machine. */
export function sampleText(): string {
  const words = ["whale", "ship", "sea", "captain", "white", "harpoon", "the", "of", "and", "a"];
  let state = 12345;
  const parts: string[] = [];
  for (let i = 0; i < 1500; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    parts.push(words[(state >>> 16) % words.length]!);
  }
  return parts.join(" ");
}
