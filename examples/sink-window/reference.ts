/** StreamingLLM's mask (Xiao et al., 2023, section 3.2): the newest `span` keys and the first `keep` ones. */
import { attend, type Problem } from "../dense.ts";

const span = 32;
const keep = 4;

export const attention = (problem: Problem): Float64Array =>
  attend(problem, {
    visible: ({ query, key }) => key <= query && (query - key < span || key < keep),
  });
