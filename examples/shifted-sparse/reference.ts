/**
 * LongLoRA's shifted sparse attention (Chen et al., 2024, section 3.2, the variable-length form without wrap-around):
 * groups of length/4, or of the size given; in the second half of the heads groups are shifted by half a group.
 */
import { attend, type Problem } from "../dense.ts";

const groups = 4;

export const attention = (problem: Problem, size = problem.length / groups): Float64Array => {
  const group = (position: number, head: number): number =>
    head < problem.heads / 2 ? Math.floor(position / size) : Math.floor((position + size / 2) / size);
  return attend(problem, {
    visible: ({ query, key, head }) => key <= query && group(query, head) === group(key, head),
  });
};
