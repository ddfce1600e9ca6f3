/** Lays a general contraction out as (batched) matrix products: which operand is which, and what must be permuted first. */
import type { SizedAxis } from "./graph-to-schedule-tensors.ts";

/** Names of axes by their part in the product, in the order they lie in memory. */
export interface ContractPlan {
  /** In both operands and the result. */
  readonly batch: readonly string[];
  /** Only in the left operand and the result. */
  readonly m: readonly string[];
  /** Only in the right operand and the result. */
  readonly n: readonly string[];
  /** In both operands, summed. */
  readonly k: readonly string[];
  readonly left: OperandPlan;
  readonly right: OperandPlan;
  /** The order the product writes; `swapped` writes n before m by exchanging the operands. */
  readonly out: readonly string[];
  readonly swapped: boolean;
  /** True when `out` is the result's own order. */
  readonly direct: boolean;
}

export interface OperandPlan {
  /** Axes summed before the product, because the other operand does not have them. */
  readonly summed: readonly string[];
  /** The order the product reads: batch, then row axes, then column axes of the matrix. */
  readonly order: readonly string[];
  /** True when the operand already lies so (and nothing is summed first). */
  readonly direct: boolean;
  /** True when the summed (k) axes come before the kept ones. */
  readonly kFirst: boolean;
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name, n) => name === b[n]);

function planOperand(
  names: readonly string[],
  batch: readonly string[],
  kept: readonly string[],
  k: readonly string[],
): OperandPlan {
  const known = new Set([...batch, ...kept, ...k]);
  const summed = names.filter((name) => !known.has(name));
  const left = names.filter((name) => known.has(name));
  const keptFirst = [...batch, ...kept, ...k];
  const kFirst = [...batch, ...k, ...kept];
  const isKFirst = same(left, kFirst) && !same(left, keptFirst);
  const order = isKFirst ? kFirst : keptFirst;
  return { summed, order, direct: summed.length === 0 && same(names, order), kFirst: isKFirst };
}

/** The plan with the fewest permuted tensors. Throws when the result has an axis that no operand has. */
export function planContract(
  left: readonly SizedAxis[],
  right: readonly SizedAxis[],
  out: readonly SizedAxis[],
  over: readonly string[],
): ContractPlan {
  const names = (axes: readonly SizedAxis[]): string[] => axes.map((axis) => axis.name);
  const [l, r, o] = [names(left), names(right), names(out)];
  const removed = new Set(over);
  const inOut = new Set(o);
  const orders = (lists: readonly (readonly string[])[], keep: (name: string) => boolean): string[][] => {
    const found: string[][] = [];
    for (const list of lists) {
      const order = list.filter(keep);
      if (!found.some((known) => same(known, order))) found.push(order);
    }
    return found;
  };
  const lost = o.filter((name) => !l.includes(name) && !r.includes(name));
  if (lost.length > 0) throw new Error(`contraction result has axes of neither operand: ${lost.join(", ")}`);
  const isBatch = (name: string): boolean => inOut.has(name) && l.includes(name) && r.includes(name);
  const isM = (name: string): boolean => inOut.has(name) && l.includes(name) && !r.includes(name);
  const isN = (name: string): boolean => inOut.has(name) && !l.includes(name) && r.includes(name);
  const isK = (name: string): boolean => removed.has(name) && l.includes(name) && r.includes(name);
  let best: ContractPlan | null = null;
  let bestCost = Infinity;
  for (const batch of orders([o, l, r], isBatch))
    for (const m of orders([l, o], isM))
      for (const n of orders([r, o], isN))
        for (const k of orders([l, r], isK)) {
          const plain = [...batch, ...m, ...n];
          const exchanged = [...batch, ...n, ...m];
          const swapped = same(o, exchanged) && !same(o, plain);
          const direct = swapped || same(o, plain);
          const plan: ContractPlan = {
            batch,
            m,
            n,
            k,
            left: planOperand(l, batch, m, k),
            right: planOperand(r, batch, n, k),
            out: swapped ? exchanged : plain,
            swapped,
            direct,
          };
          const cost = [plan.left.direct, plan.right.direct, direct].filter((fine) => !fine).length;
          if (cost < bestCost) [best, bestCost] = [plan, cost];
        }
  return best!;
}
