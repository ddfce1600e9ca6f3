/** Prefix language model (Raffel et al., 2020, figure 3, right): full visibility inside the prefix, causal after it. */
import { attend, type Problem } from "../dense.ts";

const prefix = 16;

export const attention = (problem: Problem): Float64Array =>
  attend(problem, {
    visible: ({ query, key }) => key < prefix || key <= query,
  });
