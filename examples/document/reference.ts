/** Packed documents: causal attention that stops at the document's first token. */
import { attend, type Problem } from "../dense.ts";

export const attention = (problem: Problem): Float64Array =>
  attend(problem, {
    visible: ({ query, key }) => key <= query && problem.documents[key] === problem.documents[query],
  });
