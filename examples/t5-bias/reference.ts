/** T5's relative position buckets for a decoder (Raffel et al., 2020, section 2.1): exact ones, then logarithmic ones. */
import { attend, type Problem } from "../dense.ts";

const exact = 16;
const reach = 128;

/** The authors' rule with 2 · exact buckets, distances to the past only. */
function bucket(distance: number): number {
  if (distance < exact) return distance;
  const steps = Math.trunc((Math.log(distance / exact) / Math.log(reach / exact)) * exact);
  return Math.min(exact + steps, 2 * exact - 1);
}

export const attention = (problem: Problem): Float64Array => {
  const bias = problem.tables["bias"]!;
  return attend(problem, {
    visible: ({ query, key }) => key <= query,
    score: ({ query, key, head, logit }) => logit + bias[head * 2 * exact + bucket(query - key)]!,
  });
};
