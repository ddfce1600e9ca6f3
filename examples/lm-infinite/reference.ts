/**
 * LM-Infinite (Han et al., 2024, section 3): a Λ-shaped mask, and distances that never exceed `limit`:
 * first tokens that are farther away are rotated as if `limit` tokens lay between.
 */
import { attend, rotated, type Problem } from "../dense.ts";

const span = 32;
const keep = 4;
const limit = 32;

export const attention = (problem: Problem): Float64Array => {
  const { length, heads, kvHeads, size } = problem;
  return attend(problem, {
    visible: ({ query, key }) => key <= query && (query - key < span || key < keep),
    vectors: (query, key, head) => {
      const group = Math.floor(head / (heads / kvHeads));
      const a = problem.q.subarray((head * length + query) * size, (head * length + query + 1) * size);
      const b = problem.k.subarray((group * length + key) * size, (group * length + key + 1) * size);
      return query - key >= span
        ? [rotated(a, Math.min(query, limit)), rotated(b, 0)]
        : [rotated(a, query), rotated(b, key)];
    },
  });
};
