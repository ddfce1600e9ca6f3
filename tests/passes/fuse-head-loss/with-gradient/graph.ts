/** The projection, its loss and both gradients become a head-loss and its gradient; no tensor has the vocabulary axis. */
import { graphOf } from "../../../../compiler/ir/graph-build.ts";
import { differentiate } from "../../../../compiler/passes/differentiate.ts";
import { graphWith } from "../../../support/random-graph.ts";

const forward = graphWith([], "cross-entropy");
export const graph = graphOf(differentiate(forward, ["p0", "p1"]).outputs);
