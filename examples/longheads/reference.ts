/** LongHeads (Lu et al., 2024, section 3), with every key re-indexed for each query. */
import { rotated } from "../dense.ts";
import {
  chosen,
  dot,
  group,
  keyOf,
  queryOf,
  range,
  softmax,
  vector,
  weighed,
  type Text,
} from "../routing.ts";

/** LongHeads (Lu et al., 2024): each query keeps the blocks whose representative keys fit it, re-indexed without gaps. */
export function longHeads(row: Text, block: number, budget: number): Float64Array {
  const { length, size } = row;
  const blockOf = (at: number): number => Math.floor(at / block);
  const count = Math.ceil(length / block);
  const scaled = (a: Float64Array, b: Float64Array): number => dot(a, b) / Math.sqrt(size);
  /** A key turned by its place in its block. */
  const held = range(row.kvHeads).map((head) =>
    range(length).map((at) => rotated(vector(row.k, row, head, at), at % block)),
  );
  const representatives = range(row.heads).map((head) =>
    range(count).map((c) => {
      const keys = held[group(row, head)]!;
      const inside = range(length).filter((at) => blockOf(at) === c);
      const gist = new Float64Array(size);
      for (const query of inside) {
        const weights = softmax(
          length,
          (key) => blockOf(key) === c,
          (key) => scaled(rotated(queryOf(row, head, query), query % block), keys[key]!),
        );
        for (const key of inside)
          for (let i = 0; i < size; i++)
            gist[i]! += (weights[key]! * vector(row.v, row, group(row, head), key)[i]!) / inside.length;
      }
      const weights = softmax(
        length,
        (key) => blockOf(key) === c,
        (key) => scaled(gist, keys[key]!),
      );
      const out = new Float64Array(size);
      for (const key of inside) for (let i = 0; i < size; i++) out[i]! += weights[key]! * keys[key]![i]!;
      return out;
    }),
  );
  return weighed(row, (head, query) => {
    const own = blockOf(query);
    const asks = rotated(queryOf(row, head, query), (budget - 1) * block + (query % block));
    const kept = chosen(
      range(own + 1),
      (c) => c === 0 || own - c <= 1,
      (c) => dot(asks, representatives[head]![c]!),
      budget,
    );
    const inOrder = [...kept].sort((a, b) => a - b);
    const place = (at: number): number => inOrder.indexOf(blockOf(at)) * block + (at % block);
    return softmax(
      length,
      (key) => key <= query && kept.has(blockOf(key)),
      (key) =>
        dot(rotated(queryOf(row, head, query), place(query)), rotated(keyOf(row, head, key), place(key))) /
        Math.sqrt(size),
    );
  });
}
