/** Neutral operations and constants in a body go; an operand that nothing reads goes with them. */
import { add, int, lt, mul, operand, real, select } from "../../../../compiler/ir/expr.ts";
import { axis, graphOf, mapNode, parameterNode } from "../../../../compiler/ir/graph-build.ts";

const [x, y] = ["x", "y"].map((path) => parameterNode(path, [axis("i", 4)], { kind: "constant", value: 0 }));
const kept = add(mul(operand(0), real(1)), mul(real(2), real(3)));
export const graph = graphOf({
  logits: mapNode([x!, y!], select(lt(int(1), int(2)), kept, operand(1)), "body"),
});
