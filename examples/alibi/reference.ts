/** ALiBi (Press et al., 2022, section 3): slopes 2^(−8/n), 2^(−16/n), …, times the distance, added to the logit. */
import { attend, type Problem } from "../dense.ts";

export const attention = (problem: Problem): Float64Array => {
  const ratio = 2 ** (-8 / problem.heads);
  return attend(problem, {
    visible: ({ query, key }) => key <= query,
    score: ({ query, key, head, logit }) => logit + ratio ** (head + 1) * (key - query),
  });
};
