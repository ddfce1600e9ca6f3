/** Logit soft-capping (Gemma Team, 2024, section 2): cap · tanh(logit / cap). */
import { attend, type Problem } from "../dense.ts";

const cap = 20;

export const attention = (problem: Problem): Float64Array =>
  attend(problem, {
    visible: ({ query, key }) => key <= query,
    score: ({ logit }) => cap * Math.tanh(logit / cap),
  });
