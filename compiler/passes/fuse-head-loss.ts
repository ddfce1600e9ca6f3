/** Pass: the output projection and its cross-entropy become one node, so that the whole logits are never stored. */
import { graphOf, headLossGradientNode, headLossNode, placeOf, resultNode } from "../ir/graph-build.ts";
import { nodeOperands, withOperands, type NodeOf } from "../ir/graph-operands.ts";
import type { Graph, Node } from "../ir/graph.ts";
import type { GraphPass } from "./pass.ts";

/** A projection x [b,t,i] · weight [v,i] whose result only one cross-entropy (and its gradient) reads. */
interface HeadLoss {
  readonly loss: NodeOf<"cross-entropy">;
  readonly logits: NodeOf<"contract">;
  readonly x: Node;
  readonly weight: Node;
  readonly gradient: NodeOf<"cross-entropy-gradient"> | null;
  /** Contractions of the gradient of the logits: with the weight (dx) and with x (dWeight). */
  readonly dx: NodeOf<"contract"> | null;
  readonly dWeight: NodeOf<"contract"> | null;
}

const names = (node: Node): string => node.axes.map(({ name }) => name).join(",");

/** Users of each node; an output counts as a user named `null`. */
function usersOf(graph: Graph): ReadonlyMap<Node, readonly (Node | null)[]> {
  const users = new Map<Node, (Node | null)[]>();
  const note = (node: Node, user: Node | null): void =>
    void users.set(node, [...(users.get(node) ?? []), user]);
  for (const node of graph.nodes) for (const given of new Set(nodeOperands(node))) note(given, node);
  for (const node of graph.outputs.values()) note(node, null);
  return users;
}

/** Which operand of the logits is the weight: [v, i] with the summed axis last and the vocabulary the logits' last axis. */
function sides(logits: NodeOf<"contract">): { x: Node; weight: Node } | null {
  const [summed, ...more] = logits.over;
  if (summed === undefined || more.length > 0) return null;
  const vocabulary = logits.axes.at(-1)?.name;
  for (const [x, weight] of [
    [logits.left, logits.right],
    [logits.right, logits.left],
  ] as const) {
    const isWeight = names(weight) === `${vocabulary},${summed}`;
    const expected = [...logits.axes.slice(0, -1).map(({ name }) => name), summed].join(",");
    if (isWeight && names(x) === expected) return { x, weight };
  }
  return null;
}

function match(
  loss: NodeOf<"cross-entropy">,
  users: ReadonlyMap<Node, readonly (Node | null)[]>,
): HeadLoss | null {
  const logits = loss.logits;
  if (logits.kind !== "contract") return null;
  const found = sides(logits);
  if (found === null) return null;
  let gradient: NodeOf<"cross-entropy-gradient"> | null = null;
  for (const user of users.get(logits) ?? []) {
    if (user === loss) continue;
    const own =
      user?.kind === "cross-entropy-gradient" &&
      gradient === null &&
      user.targets === loss.targets &&
      user.logSumExp.kind === "result" &&
      user.logSumExp.of === loss;
    if (!own) return null;
    gradient = user;
  }
  let dx: NodeOf<"contract"> | null = null;
  let dWeight: NodeOf<"contract"> | null = null;
  const vocabulary = logits.axes.at(-1)!.name;
  const rows = logits.axes.slice(0, -1).map(({ name }) => name);
  for (const user of (gradient === null ? undefined : users.get(gradient)) ?? []) {
    if (user?.kind !== "contract") return null;
    const other = user.left === gradient ? user.right : user.left;
    const over = [...user.over].sort().join(",");
    if (dx === null && other === found.weight && over === vocabulary && names(user) === names(found.x))
      dx = user;
    else if (
      dWeight === null &&
      other === found.x &&
      over === [...rows].sort().join(",") &&
      names(user) === names(found.weight)
    )
      dWeight = user;
    else return null;
  }
  return { loss, logits, ...found, gradient, dx, dWeight };
}

function fuse(graph: Graph): Graph {
  const users = usersOf(graph);
  const heads = graph.nodes.flatMap((node) =>
    node.kind === "cross-entropy" ? (match(node, users) ?? []) : [],
  );
  if (heads.length === 0) return graph;
  const done = new Map<Node, Node>();
  const fusedLoss = new Map<Node, NodeOf<"head-loss">>();
  const fusedGradient = new Map<HeadLoss, NodeOf<"head-loss-gradient">>();
  const at = (node: Node): Node => done.get(node)!;
  const gradientOf = (head: HeadLoss): NodeOf<"head-loss-gradient"> => {
    const known = fusedGradient.get(head);
    if (known !== undefined) return known;
    const loss = fusedLoss.get(head.loss)!;
    const made = headLossGradientNode(loss, at(head.gradient!.lossGradient), placeOf(head.logits));
    fusedGradient.set(head, made);
    return made;
  };
  for (const node of graph.nodes) {
    const head = heads.find(({ loss, dx, dWeight }) => node === loss || node === dx || node === dWeight);
    if (head !== undefined && node === head.loss) {
      const made = headLossNode(at(head.x), at(head.weight), at(head.loss.targets), placeOf(head.logits));
      fusedLoss.set(node, made);
      done.set(node, made);
    } else if (head !== undefined) {
      done.set(node, resultNode(gradientOf(head), node === head.dx ? 0 : 1));
    } else {
      done.set(node, withOperands(node, nodeOperands(node).map(at)));
    }
  }
  return graphOf(new Map([...graph.outputs].map(([name, node]) => [name, at(node)])));
}

export const fuseHeadLoss: GraphPass = {
  name: "fuse-head-loss",
  purpose: "Take the loss of the output projection in blocks, without storing the logits.",
  run: fuse,
};
