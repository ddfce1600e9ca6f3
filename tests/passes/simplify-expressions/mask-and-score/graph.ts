/** A mask of whole numbers is brought to comparisons without a negation; the score loses its factor of one. */
import { and, bool, index, int, le, logit, lt, mul, not, real, sub } from "../../../../compiler/ir/expr.ts";
import {
  attentionNode,
  axis,
  contractNode,
  gatherNode,
  graphOf,
  inputNode,
  parameterNode,
} from "../../../../compiler/ir/graph-build.ts";

const start = { kind: "normal", deviation: 1 } as const;
const table = parameterNode("embed", [axis("v", 7), axis("i", 6)], start);
const x = gatherNode(table, "v", inputNode("tokens"), "embed");
const [q, k] = [index("q"), index("k")];
const project = (path: string, head: string) =>
  contractNode(x, parameterNode(path, [axis(head, 2), axis("d", 4), axis("i", 6)], start), ["i"], path);
export const graph = graphOf({
  logits: attentionNode(
    {
      regions: [{ query: project("q", "h"), key: project("k", "g"), when: bool(true) }],
      value: project("v", "g"),
      mask: and(and(bool(true), not(lt(q, k))), le(sub(q, k), sub(int(9), int(1)))),
      score: mul(logit, real(1)),
      buffers: [],
      scale: 0.5,
      prepended: null,
    },
    "attention",
  ),
});
