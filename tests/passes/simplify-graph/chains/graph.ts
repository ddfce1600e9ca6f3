/** Identity maps, repeated reshapes, whole slices and constants kept in nodes of their own all go. */
import { mul, operand, real } from "../../../../compiler/ir/expr.ts";
import {
  axis,
  graphOf,
  mapNode,
  parameterNode,
  reshapeNode,
  sliceNode,
} from "../../../../compiler/ir/graph-build.ts";

const x = parameterNode("x", [axis("i", 6)], { kind: "constant", value: 0 });
const same = mapNode([x], operand(0), "same");
const split = reshapeNode(same, [axis("m", 2), axis("n", 3)], "split");
const merged = reshapeNode(split, [axis("i", 6)], "merged");
const slice = sliceNode(sliceNode(merged, "i", 1, "slice"), "i", 2, "slice");
const two = mapNode([], real(2), "two", [axis("i", 3)]);
export const graph = graphOf({ logits: mapNode([slice, two], mul(operand(0), operand(1)), "twice") });
