/** Writes the generated part of docs/targets/tfjs.md: what runs, how close to the cpu target, and how fast. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What came out for one example on both targets. */
export interface ExampleComparison {
  readonly spec: string;
  readonly steps: number;
  /** Of the losses of the same step. */
  readonly largestDifference: number;
  readonly lastLosses: { readonly cpu: number; readonly tfjs: number };
  readonly tokensPerSecond: { readonly cpu: number; readonly tfjs: number };
}
