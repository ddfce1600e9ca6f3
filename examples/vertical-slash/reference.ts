/** MInference's vertical and slash lines (Jiang et al., 2024, section 3.2), from whole rows of weights. */
import { chosen, logit, range, softmax, weighed, type Text } from "../routing.ts";

/** MInference (Jiang et al., 2024): columns and diagonals that the last rows attend to most, and the first `always`. */
export function verticalSlash(
  row: Text,
  vertical: number,
  slash: number,
  probe: number,
  always = 30,
): Float64Array {
  const { length } = row;
  const kept = range(row.heads).map((head) => {
    const columns = new Float64Array(length);
    const slashes = new Float64Array(length);
    for (let query = Math.max(0, length - probe); query < length; query++) {
      const weights = softmax(
        length,
        (key) => key <= query,
        (key) => logit(row, head, query, key),
      );
      for (let key = 0; key <= query; key++) {
        columns[key]! += weights[key]!;
        slashes[query - key]! += weights[key]!;
      }
    }
    const first = (n: number): boolean => n < always;
    return {
      columns: chosen(range(length), first, (n) => columns[n]!, vertical),
      slashes: chosen(range(length), first, (n) => slashes[n]!, slash),
    };
  });
  return weighed(row, (head, query) =>
    softmax(
      length,
      (key) => key <= query && (kept[head]!.columns.has(key) || kept[head]!.slashes.has(query - key)),
      (key) => logit(row, head, query, key),
    ),
  );
}
