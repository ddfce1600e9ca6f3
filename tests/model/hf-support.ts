/** Checkpoints of HuggingFace transformers and PEFT beside what they give there, and the models that they fit. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect } from "vitest";
import type { Methods, Model } from "../../compiler/check/model/model.ts";
import type { Float64Tensor } from "../../compiler/ir/interpret.ts";
import { SafetensorsFile } from "../../runtime/checkpoint/safetensors.ts";
import { fromCheckpoint, gpt2Names, llamaNames, type Source } from "../support/hf-names.ts";
import { elaborate, plainMethods } from "./support.ts";

const folder = resolve(import.meta.dirname, "../fixtures/hf");
export const open = (...path: string[]): SafetensorsFile =>
  new SafetensorsFile(readFileSync(join(folder, ...path)));
export const tensor = (shape: readonly number[], values: ArrayLike<number>): Float64Tensor => ({
  shape,
  data: Float64Array.from(values),
});

export function modelOf(text: string, methods: Methods = plainMethods): Model {
  const { model, reporter } = elaborate(text, methods);
  expect(reporter.diagnostics).toEqual([]);
  return model!;
}

/** Largest difference, relative to the largest expected number (or to `floor`, when all are smaller). */
export function distance(found: ArrayLike<number>, expected: ArrayLike<number>, floor = 0): number {
  expect(found.length).toBe(expected.length);
  let most = 0;
  let scale = floor;
  for (let n = 0; n < expected.length; n++) {
    most = Math.max(most, Math.abs(found[n]! - expected[n]!));
    scale = Math.max(scale, Math.abs(expected[n]!));
  }
  return scale === 0 ? most : most / scale;
}

/** The batch of a checkpoint's expected numbers: tokens, the next token as target (−1 at the end), and 1 / targets. */
export function batchOf(expected: SafetensorsFile) {
  const ids = expected.read("input_ids");
  const [batch, length] = ids.shape as [number, number];
  const targets = Array.from(ids.values, (_, n) => (n % length === length - 1 ? -1 : ids.values[n + 1]!));
  return { batch, length, tokens: ids.values, targets, lossScale: 1 / (batch * (length - 1)) };
}

/** Logits, mean loss and gradients by path. */
export interface Found {
  readonly logits: ArrayLike<number>;
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, ArrayLike<number>>;
}

export const llama = `vocab 128 layers 2 heads 4 kv_heads 2 width 64 hidden 96 length 64`;
/** Fixture, spec, and where each weight is in the checkpoint. */
export const cases: readonly (readonly [string, string, (path: string) => Source])[] = [
  ["llama", `model M = decoder { ${llama} }`, llamaNames],
  [
    "llama-tied-mha",
    `model M = decoder { vocab 128 layers 2 heads 4 width 64 hidden 96 length 64 tied true }`,
    llamaNames,
  ],
  ["qwen2", `model M = decoder { ${llama} bias true }`, llamaNames],
  ["gpt2", `model M = gpt2 { vocab 128 layers 2 heads 4 width 64 length 64 }`, gpt2Names],
];

/** A transformers checkpoint: its weights by our paths, and a comparison of what was found with what is expected. */
export function checkpoint(name: string, names: (path: string) => Source) {
  const weights = open("models", name, "model.safetensors");
  const expected = open("models", name, "expected.safetensors");
  const grads = open("models", name, "grads.safetensors");
  const read = (file: SafetensorsFile) => (path: string) =>
    fromCheckpoint(names(path), file.read(names(path).name));
  return {
    expected,
    weights: read(weights),
    compare(found: Found, model: Model): void {
      expect(distance(found.logits, expected.read("logits").values)).toBeLessThan(1e-5);
      expect(distance([found.loss], expected.read("loss").values)).toBeLessThan(1e-5);
      expect(found.gradients.size).toBe(model.parameters.length);
      // Some gradients are zero by symmetry (a bias of keys without rotation): both sides hold only rounding there.
      for (const [path, gradient] of found.gradients)
        expect(distance(gradient, read(grads)(path), 1e-4), path).toBeLessThan(1e-4);
      // Nothing in the checkpoint is left unread.
      expect(new Set(model.parameters.map((parameter) => names(parameter.path).name))).toEqual(
        new Set(weights.names),
      );
    },
  };
}
