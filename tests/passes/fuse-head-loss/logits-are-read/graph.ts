/** Logits that something else reads must be stored, so nothing is fused. */
import { graphOf } from "../../../../compiler/ir/graph-build.ts";
import { graphWith } from "../../../support/random-graph.ts";

const forward = graphWith([], "cross-entropy");
const logits = forward.nodes.find((node) => node.kind === "contract")!;
export const graph = graphOf({ loss: forward.outputs.get("loss")!, logits });
