/** The same body over the same operand is computed once; another body stays. */
import { add, operand, unary } from "../../../../compiler/ir/expr.ts";
import { axis, graphOf, mapNode, parameterNode } from "../../../../compiler/ir/graph-build.ts";

const x = parameterNode("x", [axis("i", 6)], { kind: "constant", value: 0 });
const first = mapNode([x], unary("exp", operand(0)), "first");
const second = mapNode([x], unary("exp", operand(0)), "second");
const other = mapNode([x], unary("tanh", operand(0)), "other");
const sum = add(add(operand(0), operand(1)), operand(2));
export const graph = graphOf({ logits: mapNode([first, second, other], sum, "sum") });
