/** Dataset: the text of a stage as training and held-out rows. */
import type { DataSettings, LossSettings } from "../train/settings.ts";
import { LctxError } from "../errors.ts";
import { openTokenizer } from "../tokens/open-tokenizer.ts";
import { insertedTokenId } from "../tokens/tokenizer.ts";
import type { Tokenizer } from "../tokens/tokenizer.ts";
import { resolveSource, sourceFolders } from "./resolve-source.ts";
import type { SourcePlaces } from "./resolve-source.ts";
import { cutRows } from "./row-cuts.ts";
import type { Place, RowCuts } from "./row-cuts.ts";
import { RowOrder } from "./row-order.ts";
import { fillRow, textTokens } from "./rows.ts";
import type { RowBuffers, RowLayout } from "./rows.ts";
import { openTokenFile } from "./token-cache.ts";
import type { TokenFacts } from "./token-cache.ts";
import { splitTokens } from "./token-view.ts";
import type { TokenView } from "./token-view.ts";
import type { TrainingData } from "./training-data.ts";

export interface DatasetOptions extends SourcePlaces {
  /** Where token files are kept. */
  readonly cacheFolder: string;
  readonly seed: number;
  /** Ids must be below this; null when the model does not say. */
  readonly vocabulary: number | null;
}

/** The row layout that settings mean. Throws LctxError `token-unknown` or `token-outside-vocabulary`. */
export function rowLayout(
  data: DataSettings,
  loss: Pick<LossSettings, "exceptToken" | "exceptPositions">,
  tokenizer: Tokenizer,
  vocabulary: number | null,
): RowLayout {
  const insert =
    data.insert === null
      ? null
      : { id: insertedTokenId(tokenizer, data.insert.token), every: data.insert.every };
  const needed = Math.max(tokenizer.size, insert === null ? 0 : insert.id + 1);
  if (vocabulary !== null && needed > vocabulary) {
    throw new LctxError(
      "token-outside-vocabulary",
      `tokenizer "${data.tokenizer}"${insert === null ? "" : ` with "${data.insert!.token}"`} has ${needed} tokens, the model ${vocabulary}`,
      `give the model vocab ${needed}`,
    );
  }
  let exceptToken: number | null = null;
  if (loss.exceptToken !== null) {
    exceptToken = insertedTokenId(tokenizer, loss.exceptToken);
    if (exceptToken >= tokenizer.size && data.insert?.token !== loss.exceptToken) {
      throw new LctxError(
        "token-unknown",
        `the loss leaves out "${loss.exceptToken}", which tokenizer "${data.tokenizer}" does not have and the data does not insert`,
      );
    }
  }
  const { length, packed, cut = false } = data;
  return { length, packed, cut, insert, exceptToken, exceptPositions: loss.exceptPositions };
}

export class Dataset implements TrainingData {
  readonly tokenizer: Tokenizer;
  readonly layout: RowLayout;
  readonly facts: TokenFacts;
  readonly files: readonly string[];
  readonly train: TokenView;
  readonly validation: TokenView;
  readonly #cuts: RowCuts;
  readonly #held: RowCuts;
  readonly #order: RowOrder | null;

  constructor(
    tokenizer: Tokenizer,
    layout: RowLayout,
    files: readonly string[],
    facts: TokenFacts,
    views: { readonly train: TokenView; readonly validation: TokenView },
    seed: number,
  ) {
    this.tokenizer = tokenizer;
    this.layout = layout;
    this.files = files;
    this.facts = facts;
    this.train = views.train;
    this.validation = views.validation;
    this.#cuts = cutRows(this.train, layout);
    this.#held = cutRows(this.validation, layout);
    this.#order = this.#orderOf(seed);
  }

  #orderOf(seed: number): RowOrder | null {
    // Rows of documents are dealt by their number, rows of one long text by the token they begin at.
    if (this.layout.cut) return this.#cuts.rows > 0 ? new RowOrder(this.#cuts.rows + 1, 1, seed) : null;
    const step = textTokens(this.layout, this.layout.length);
    return this.train.tokens > step ? new RowOrder(this.train.tokens, step, seed) : null;
  }

  get validationRows(): number {
    return this.#held.rows;
  }

  get lengths(): ReadonlyMap<number, number> {
    return this.#cuts.lengths();
  }

  #trainPlace(number: number): Place {
    if (this.#order === null) throw new RangeError("there is no text to train on");
    const at = this.#order.tokenOf(number);
    return this.layout.cut ? this.#cuts.place(at) : { at, length: this.layout.length };
  }

  trainLength(number: number): number {
    return this.#trainPlace(number).length;
  }

  fillTrain(number: number, buffers: RowBuffers, row: number): number {
    const { at, length } = this.#trainPlace(number);
    return fillRow(this.train, at, this.layout, length, buffers, row);
  }

  validationLength(number: number): number {
    return this.#held.place(number).length;
  }

  fillValidation(number: number, buffers: RowBuffers, row: number): number {
    const { at, length } = this.#held.place(number);
    return fillRow(this.validation, at, this.layout, length, buffers, row);
  }

  close(): void {
    this.train.close();
    this.validation.close();
  }
}

async function open(
  data: DataSettings,
  loss: Pick<LossSettings, "exceptToken" | "exceptPositions">,
  options: DatasetOptions,
): Promise<Dataset> {
  const tokenizer = await openTokenizer(data.tokenizer, sourceFolders(options));
  const layout = rowLayout(data, loss, tokenizer, options.vocabulary);
  const files = resolveSource(data.source, options);
  const file = await openTokenFile(files, tokenizer, options.cacheFolder);
  return new Dataset(tokenizer, layout, files, file.facts, splitTokens(file, data.validate), options.seed);
}

/** Finds, tokenizes (once) and divides the text that settings name. Throws LctxErrors with a way out. */
export async function openDataset(
  data: DataSettings,
  loss: Pick<LossSettings, "exceptToken" | "exceptPositions">,
  options: DatasetOptions,
): Promise<Dataset> {
  const dataset = await open(data, loss, options);
  const { tokens } = dataset.train;
  if (dataset.layout.cut) {
    if (dataset.lengths.size > 0) return dataset;
    dataset.close();
    throw new LctxError(
      "data-too-short",
      `data "${data.source}" has no document of two tokens to train on`,
      "use more text",
    );
  }
  const needed = textTokens(dataset.layout, data.length) + 1;
  if (tokens >= needed) return dataset;
  dataset.close();
  throw new LctxError(
    "data-too-short",
    `data "${data.source}" has ${tokens} tokens to train on; a row of length ${data.length} needs ${needed}`,
    "use more text or a smaller length",
  );
}

/** Text to evaluate on only: all of it is held out. Throws as `openDataset` does, but one token and a target are enough. */
export async function openEvaluationText(
  data: DataSettings,
  loss: Pick<LossSettings, "exceptToken" | "exceptPositions">,
  options: Omit<DatasetOptions, "seed">,
): Promise<Dataset> {
  const whole = { ...data, validate: { kind: "share", value: 1 } } as const;
  const dataset = await open(whole, loss, { ...options, seed: 0 });
  if (dataset.validationRows > 0) return dataset;
  dataset.close();
  throw new LctxError("data-too-short", `data "${data.source}" has fewer than two tokens`);
}
