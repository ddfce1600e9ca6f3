/** An attention whose values depend on the sums cannot give them. */
import { add, operand } from "../../../../compiler/ir/expr.ts";
import { graphOf, mapNode } from "../../../../compiler/ir/graph-build.ts";
import { attention, causal, sums, value } from "../pairs.ts";

const moved = mapNode([value, sums(causal)], add(operand(0), operand(1)), "moved", value.axes);
export const graph = graphOf({ output: attention(causal, moved) });
