/** Log-length scaling (Su, 2021): logits times max(1, log n / log trained), n the keys that a query sees. */
import { attend, type Problem } from "../dense.ts";

const trained = 32;

export const attention = (problem: Problem): Float64Array =>
  attend(problem, {
    visible: ({ query, key }) => key <= query,
    score: ({ query, logit }) => logit * Math.max(1, Math.log(query + 1) / Math.log(trained)),
  });
