/** ALiBi (Press et al., 2022, section 3): a slope per head times the distance, taken from the logit. */
import { attend, type Problem } from "../dense.ts";

/** The authors' `get_slopes`: 2^(−8/n), 2^(−16/n), …; for other numbers of heads, every second slope of the next power of two fills up. */
export function slopes(heads: number): readonly number[] {
  const n = 2 ** Math.floor(Math.log2(heads));
  const first = Array.from({ length: n }, (_, head) => (2 ** (-8 / n)) ** (head + 1));
  if (n === heads) return first;
  const between = slopes(2 * n).filter((_, head) => head % 2 === 0);
  return [...first, ...between.slice(0, heads - n)];
}

export const attention = (problem: Problem): Float64Array => {
  const slope = slopes(problem.heads);
  return attend(problem, {
    visible: ({ query, key }) => key <= query,
    score: ({ query, key, head, logit }) => logit + slope[head]! * (key - query),
  });
};
