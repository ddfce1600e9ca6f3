/** Landmark attention (Mohtashami and Jaggi, 2023, section 3.1, grouped softmax), query by query. */
import { chosen, logit, range, softmax, weighed, type Text } from "../routing.ts";

/** A block's last token gates its other tokens (Mohtashami and Jaggi, 2023): weights of one query. */
function landmarkWeights(row: Text, block: number, head: number, query: number): Float64Array {
  const { length } = row;
  const blockOf = (at: number): number => Math.floor(at / block);
  const isGate = (at: number): boolean => at % block === block - 1;
  const own = blockOf(query);
  const value = (key: number): number => logit(row, head, query, key);
  const near = softmax(length, (key) => key <= query && (blockOf(key) === own || isGate(key)), value);
  const blocks = range(own).map((c) => softmax(length, (key) => blockOf(key) === c && !isGate(key), value));
  return Float64Array.from(range(length), (key) => {
    if (key > query) return 0;
    if (blockOf(key) === own) return near[key]!;
    if (isGate(key)) return 0;
    return near[blockOf(key) * block + block - 1]! * blocks[blockOf(key)]![key]!;
  });
}

/** Landmark attention in training. */
export const landmark = (row: Text, block: number): Float64Array =>
  weighed(row, (head, query) => landmarkWeights(row, block, head, query));

/**
 * The same when text is generated: only the blocks whose landmarks fit best are read. The weights of the others are
 * left out and, as the spec has it, not shared among those that stay.
 */
export function landmarkBlocks(row: Text, block: number, keep: number): Float64Array {
  const { length } = row;
  const blockOf = (at: number): number => Math.floor(at / block);
  return weighed(row, (head, query) => {
    const own = blockOf(query);
    const kept = chosen(
      range(own + 1),
      (c) => c === own,
      (c) => logit(row, head, query, Math.min(c * block + block - 1, length - 1)),
      keep,
    );
    return landmarkWeights(row, block, head, query).map((weight, key) =>
      kept.has(blockOf(key)) ? weight : 0,
    );
  });
}
