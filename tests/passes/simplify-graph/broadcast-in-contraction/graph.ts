/** A tensor repeated along an axis that the other side has needs no copy; a sum over the repetition does. */
import { operand } from "../../../../compiler/ir/expr.ts";
import { axis, contractNode, graphOf, mapNode, parameterNode } from "../../../../compiler/ir/graph-build.ts";

const start = { kind: "constant", value: 0 } as const;
const x = parameterNode("x", [axis("i", 6)], start);
const w = parameterNode("w", [axis("o", 2), axis("i", 6)], start);
const repeated = mapNode([x], operand(0), "repeat", [axis("o", 2), axis("i", 6)]);
const counted = mapNode([x], operand(0), "count", [axis("r", 3), axis("i", 6)]);
export const graph = graphOf({
  logits: contractNode(repeated, w, ["i"], "free"),
  loss: contractNode(counted, w, ["i", "r"], "needed"),
});
