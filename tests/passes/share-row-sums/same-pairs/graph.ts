/** Block maxima of an attention's own weights read its denominators. */
import { graphOf } from "../../../../compiler/ir/graph-build.ts";
import { attention, causal, maxima } from "../pairs.ts";

export const graph = graphOf({ maxima: maxima(causal), output: attention(causal) });
