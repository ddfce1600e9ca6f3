/** TrainingData: what a stage's rows come from, as the trainer and the evaluation use it. */
import type { Tokenizer } from "../tokens/tokenizer.ts";
import type { RowBuffers } from "./rows.ts";
import type { TokenFacts } from "./token-cache.ts";

export interface TrainingData {
  readonly tokenizer: Tokenizer;
  /** `key` changes whenever any row could hold something else. */
  readonly facts: Pick<TokenFacts, "key" | "bytesExact">;
  /** Held-out rows. */
  readonly validationRows: number;
  /** Share of the training rows that have each length. */
  readonly lengths: ReadonlyMap<number, number>;
  /** Positions of training row `number`. */
  trainLength(number: number): number;
  /** Writes training row `number` as row `row` of buffers for rows of its length; returns how many targets count. */
  fillTrain(number: number, buffers: RowBuffers, row: number): number;
  /** Positions of held-out row `number`. */
  validationLength(number: number): number;
  /** Writes held-out row `number` as row `row` of buffers for rows of its length; returns how many targets count. */
  fillValidation(number: number, buffers: RowBuffers, row: number): number;
  close(): void;
}
