/** A softmax over other keys has other denominators. */
import { bool } from "../../../../compiler/ir/expr.ts";
import { graphOf } from "../../../../compiler/ir/graph-build.ts";
import { attention, causal, maxima } from "../pairs.ts";

export const graph = graphOf({ maxima: maxima(causal), output: attention(bool(true)) });
