/** SeerAttention (Gao et al., 2024, section 3): its gate, the loss that teaches it, and the blocks it keeps. */
import { rotated } from "../dense.ts";
import { dot, keyOf, logit, queryOf, range, softmax, weighed, type Text } from "../routing.ts";

/** SeerAttention's gate (Gao et al., 2024): [heads][block of queries][block of keys], a softmax over earlier blocks. */
export function seerGate(row: Text, block: number, width: number): readonly (readonly Float64Array[])[] {
  const { length, size } = row;
  const count = Math.ceil(length / block);
  const { wq, wk } = row.tables;
  const members = (c: number): readonly number[] =>
    range(length).filter((at) => Math.floor(at / block) === c);
  return range(row.heads).map((head) => {
    const queries = range(count).map((c) => {
      const mean = new Float64Array(size);
      for (const at of members(c))
        for (let d = 0; d < size; d++) mean[d]! += queryOf(row, head, at)[d]! / members(c).length;
      const out = Float64Array.from({ length: width }, (_, e) =>
        range(size).reduce((sum, d) => sum + mean[d]! * wq![(head * size + d) * width + e]!, 0),
      );
      return rotated(out, c * block);
    });
    const keys = range(count).map((c) => {
      const all = members(c).map((at) => keyOf(row, head, at));
      const pools = [
        (d: number): number => Math.max(...all.map((key) => key[d]!)),
        (d: number): number => Math.min(...all.map((key) => key[d]!)),
        (d: number): number => all.reduce((sum, key) => sum + key[d]!, 0) / all.length,
      ];
      const out = Float64Array.from({ length: width }, (_, e) =>
        pools.reduce(
          (sum, pool, m) =>
            range(size).reduce(
              (inner, d) => inner + pool(d) * wk![((head * 3 + m) * size + d) * width + e]!,
              sum,
            ),
          0,
        ),
      );
      return rotated(out, c * block);
    });
    return range(count).map((i) =>
      softmax(
        count,
        (j) => j <= i,
        (j) => dot(queries[i]!, keys[j]!) / Math.sqrt(width),
      ),
    );
  });
}

/** 10 · mean of T · (log T − log gate), where T are the tile maxima of the attention's weights, each row divided by its sum. */
export function seerLoss(row: Text, block: number, width: number): number {
  const { length } = row;
  const count = Math.ceil(length / block);
  const gate = seerGate(row, block, width);
  let total = 0;
  for (let head = 0; head < row.heads; head++) {
    const tiles = range(count).map(() => new Float64Array(count));
    for (let query = 0; query < length; query++) {
      const weights = softmax(
        length,
        (key) => key <= query,
        (key) => logit(row, head, query, key),
      );
      const own = tiles[Math.floor(query / block)]!;
      for (let key = 0; key < length; key++)
        own[Math.floor(key / block)] = Math.max(own[Math.floor(key / block)]!, weights[key]!);
    }
    tiles.forEach((tile, i) => {
      const sum = tile.reduce((all, x) => all + x, 0);
      tile.forEach((x, j) => {
        if (x > 0) total += (x / sum) * (Math.log(x / sum) - Math.log(gate[head]![i]![j]!));
      });
    });
  }
  return (10 * total) / (row.heads * count * count);
}

/** Attention to the blocks whose gate exceeds the threshold, and to the query's own. */
export function seerBlocks(row: Text, block: number, width: number, threshold: number): Float64Array {
  const gate = seerGate(row, block, width);
  const blockOf = (at: number): number => Math.floor(at / block);
  return weighed(row, (head, query) =>
    softmax(
      row.length,
      (key) =>
        key <= query &&
        (blockOf(key) === blockOf(query) || gate[head]![blockOf(query)]![blockOf(key)]! > threshold),
      (key) => logit(row, head, query, key),
    ),
  );
}
