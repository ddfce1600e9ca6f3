/** Deal: which source each row of a mix comes from, and its number there: a function of seed and row number. */
import { permutation } from "../random/shuffle.ts";

/** Rows that are dealt at once; shares are kept exactly within them. */
export const handRows = 1000;

/** Rows of each part in one hand: `share · 1000`, rounded so that they sum to 1000 (largest remainders first). */
export function quotas(shares: readonly number[]): readonly number[] {
  const exact = shares.map((share) => share * handRows);
  const rows = exact.map(Math.floor);
  const order = exact.map((_, n) => n).sort((a, b) => exact[b]! - rows[b]! - (exact[a]! - rows[a]!) || a - b);
  let left = handRows - rows.reduce((sum, count) => sum + count, 0);
  for (const n of order) {
    if (left <= 0) break;
    rows[n]!++;
    left--;
  }
  return rows;
}

export class Deal {
  readonly #quotas: readonly number[];
  readonly #seed: number;
  readonly #purpose: string;
  #hand = -1;
  /** Part of each row of the hand, and how many rows of that part came before it in the hand. */
  readonly #parts = new Uint16Array(handRows);
  readonly #before = new Uint16Array(handRows);

  constructor(shares: readonly number[], seed: number, purpose: string) {
    this.#quotas = quotas(shares);
    this.#seed = seed;
    this.#purpose = purpose;
  }

  /** The part that row `row` comes from, and which of that part's rows it is. */
  of(row: number): { readonly part: number; readonly number: number } {
    const hand = Math.floor(row / handRows);
    if (hand !== this.#hand) this.#shuffle(hand);
    const at = row % handRows;
    const part = this.#parts[at]!;
    return { part, number: hand * this.#quotas[part]! + this.#before[at]! };
  }

  #shuffle(hand: number): void {
    const order = permutation(handRows, this.#seed, `${this.#purpose}:hand ${hand}`);
    let at = 0;
    this.#quotas.forEach((count, part) => {
      for (let n = 0; n < count; n++) this.#parts[order[at++]!] = part;
    });
    const seen = this.#quotas.map(() => 0);
    for (let n = 0; n < handRows; n++) this.#before[n] = seen[this.#parts[n]!]!++;
    this.#hand = hand;
  }
}
