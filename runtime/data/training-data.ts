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
  /** Writes training row `number` as row `row` of the buffers; returns how many targets count. */
  fillTrain(number: number, buffers: RowBuffers, row: number): number;
  /** Writes held-out row `number`; an empty row when there is none of that number. */
  fillValidation(number: number, buffers: RowBuffers, row: number): number;
  close(): void;
}
