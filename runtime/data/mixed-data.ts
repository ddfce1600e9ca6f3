/** MixedData: rows from texts and tasks by their shares. */
import { createHash } from "node:crypto";
import { Sampler } from "../tasks/sampler.ts";
import type { MixPart } from "../tasks/task.ts";
import { openTokenizer } from "../tokens/open-tokenizer.ts";
import type { Tokenizer } from "../tokens/tokenizer.ts";
import { canonicalJson } from "../train/canonical-json.ts";
import type { DataSettings, LossSettings } from "../train/settings.ts";
import { openDataset, rowLayout } from "./dataset.ts";
import type { Dataset, DatasetOptions } from "./dataset.ts";
import { Deal } from "./deal.ts";
import { sourceFolders } from "./resolve-source.ts";
import type { RowBuffers, RowLayout } from "./rows.ts";
import { fillSample, sampleTokens } from "./task-rows.ts";
import type { TrainingData } from "./training-data.ts";

/** Held-out rows of a mix, at most: samples never end. */
const mostValidation = 1024;

/** A part of a mix, open. */
type Source =
  { readonly kind: "text"; readonly text: Dataset } | { readonly kind: "task"; readonly sampler: Sampler };

interface Parts {
  readonly tokenizer: Tokenizer;
  readonly layout: RowLayout;
  readonly sources: readonly Source[];
  readonly answersOnly: boolean;
  readonly seed: number;
}

class MixedData implements TrainingData {
  readonly tokenizer: Tokenizer;
  readonly facts: TrainingData["facts"];
  readonly validationRows: number;
  readonly #parts: Parts;
  readonly lengths: ReadonlyMap<number, number>;
  readonly #train: Deal;
  readonly #validation: Deal;

  constructor(parts: Parts, mix: readonly MixPart[]) {
    this.#parts = parts;
    this.tokenizer = parts.tokenizer;
    const shares = mix.map(({ share }) => share);
    this.#train = new Deal(shares, parts.seed, "mix");
    // The same rows are held out whatever the seed of a run is.
    this.#validation = new Deal(shares, 0, "held-out mix");
    const texts = parts.sources.flatMap((source) => (source.kind === "text" ? [source.text] : []));
    const key = createHash("sha256")
      .update(`mix-1\0${parts.tokenizer.hash}\0${canonicalJson(mix)}\0`)
      .update(texts.map((text) => text.facts.key).join("\0"))
      .digest("hex");
    this.facts = { key, bytesExact: texts.every((text) => text.facts.bytesExact) };
    this.validationRows = this.#countValidation();
    this.lengths = this.#lengthsOf(shares);
  }

  #lengthsOf(shares: readonly number[]): ReadonlyMap<number, number> {
    const all = new Map<number, number>();
    this.#parts.sources.forEach((source, n) => {
      const own = source.kind === "text" ? source.text.lengths : new Map([[this.#parts.layout.length, 1]]);
      for (const [length, share] of own) all.set(length, (all.get(length) ?? 0) + shares[n]! * share);
    });
    return all;
  }

  trainLength(number: number): number {
    const dealt = this.#train.of(number);
    const source = this.#parts.sources[dealt.part]!;
    return source.kind === "text" ? source.text.trainLength(dealt.number) : this.#parts.layout.length;
  }

  validationLength(number: number): number {
    const dealt = this.#validation.of(number);
    const source = this.#parts.sources[dealt.part]!;
    return source.kind === "text" ? source.text.validationLength(dealt.number) : this.#parts.layout.length;
  }

  fillTrain(number: number, buffers: RowBuffers, row: number): number {
    const dealt = this.#train.of(number);
    const source = this.#parts.sources[dealt.part]!;
    if (source.kind === "text") return source.text.fillTrain(dealt.number, buffers, row);
    return this.#fillSample(source.sampler, "train", this.#parts.seed, dealt.number, buffers, row);
  }

  fillValidation(number: number, buffers: RowBuffers, row: number): number {
    const { sources } = this.#parts;
    if (number >= this.validationRows) throw new RangeError(`there is no held-out row ${number}`);
    const dealt = this.#validation.of(number);
    const source = sources[dealt.part]!;
    if (source.kind === "text") return source.text.fillValidation(dealt.number, buffers, row);
    return this.#fillSample(source.sampler, "validate", 0, dealt.number, buffers, row);
  }

  close(): void {
    for (const source of this.#parts.sources) if (source.kind === "text") source.text.close();
  }

  #fillSample(
    sampler: Sampler,
    purpose: string,
    seed: number,
    number: number,
    buffers: RowBuffers,
    row: number,
  ): number {
    const { layout, answersOnly } = this.#parts;
    const length = sampleTokens(layout, layout.length);
    const sample = sampler.sample({ length, depth: null, seed, purpose, number });
    return fillSample(sample, layout, answersOnly, buffers, row);
  }

  /** Rows until a text has no more held out; none when a text holds nothing out. */
  #countValidation(): number {
    const { sources } = this.#parts;
    for (let row = 0; row < mostValidation; row++) {
      const { part, number } = this.#validation.of(row);
      const source = sources[part]!;
      if (source.kind === "text" && number >= source.text.validationRows) return row;
    }
    return mostValidation;
  }
}

/**
 * Opens the texts and tasks of a mix. Throws LctxErrors as `openDataset` does, and `task-too-short` or `task-impossible`
 * when a task does not fit the rows.
 */
async function openMix(
  mix: readonly MixPart[],
  data: DataSettings,
  loss: LossSettings,
  options: DatasetOptions,
): Promise<TrainingData> {
  const tokenizer = await openTokenizer(data.tokenizer, sourceFolders(options));
  const layout = rowLayout(data, loss, tokenizer, options.vocabulary);
  const sources: Source[] = [];
  try {
    for (const part of mix) {
      if (part.kind === "task") {
        const sampler = new Sampler(part.task, tokenizer);
        // A task that does not fit is told before anything runs.
        const length = sampleTokens(layout, layout.length);
        sampler.sample({ length, depth: null, seed: options.seed, purpose: "train", number: 0 });
        sources.push({ kind: "task", sampler });
      } else {
        const own = { ...data, mix: undefined, source: part.source };
        sources.push({ kind: "text", text: await openDataset(own, loss, options) });
      }
    }
  } catch (error) {
    for (const source of sources) if (source.kind === "text") source.text.close();
    throw error;
  }
  const answersOnly = loss.answersOnly ?? false;
  return new MixedData({ tokenizer, layout, sources, answersOnly, seed: options.seed }, mix);
}

/** Opens what a stage's rows come from: one text, or a mix. */
export function openData(
  data: DataSettings,
  loss: LossSettings,
  options: DatasetOptions,
): Promise<TrainingData> {
  return data.mix === undefined ? openDataset(data, loss, options) : openMix(data.mix, data, loss, options);
}

/** The data with another text: in place of the one text, or of the one text of a mix. Null when there is not one. */
export function withText(data: DataSettings, source: string): DataSettings | null {
  if (data.mix === undefined) return { ...data, source };
  if (data.mix.filter((part) => part.kind === "tokens").length !== 1) return null;
  return { ...data, mix: data.mix.map((part) => (part.kind === "tokens" ? { ...part, source } : part)) };
}
