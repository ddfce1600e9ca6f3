/** Lowers a Model to a Graph for one phase: each term becomes one node, an attention becomes rotations and one node. */
import type { Model, ModelParameter } from "../check/model/model.ts";
import { termOrder } from "../check/model/term-order.ts";
import { termOperands, type Term, type TermAxis } from "../check/model/term.ts";
import type { AttentionPhase } from "../ir/attention-meaning.ts";
import * as ir from "../ir/expr.ts";
import {
  axis,
  batchAxis,
  concatNode,
  contractNode,
  crossEntropyNode,
  gatherNode,
  graphOf,
  inputNode,
  mapNode,
  parameterNode,
  reduceNode,
  reshapeNode,
  sliceNode,
  type Place,
} from "../ir/graph-build.ts";
import { lengthSize } from "../ir/graph-axes.ts";
import type { Axis, Graph, Node } from "../ir/graph.ts";
import type { ParameterInfo } from "../../runtime/program.ts";
import { lowerAttention } from "./attention-to-nodes.ts";

export interface GraphOptions {
  readonly phase: AttentionPhase;
  /**
   * `loss` [b, t] of next tokens; `logits` [b, t, v]; `teach`: as loss [b, t], what all teachers of the row ask together,
   * the same for each of its counted tokens. The mean over counted tokens is then the mean over rows, each as often as it
   * has such tokens.
   */
  readonly output: "loss" | "logits" | "teach";
}

/** `b` and `t` are the graph's own axes: a module's axis of that name gets another one. */
const axisName = (name: string): string => (name === "b" || name === "t" ? `${name}_` : name);

const fixedAxes = (axes: readonly TermAxis[]): readonly Axis[] =>
  axes.map((own) => axis(axisName(own.name), own.size));

/** All axes of a term's node: rows and tokens where it has them, then its own. */
function axesOf(term: Term, plus: number): readonly Axis[] {
  const own = fixedAxes(term.axes);
  const tokens = axis("t", lengthSize(plus));
  switch (term.extent) {
    case "model":
      return own;
    case "position":
      return [tokens, ...own];
    case "token":
      return [batchAxis, tokens, ...own];
    default:
      return term.extent satisfies never;
  }
}

/** The Graph of a model. Weights that the phase does not use are absent. */
export function modelToGraph(model: Model, options: GraphOptions): Graph {
  const { phase, output } = options;
  const teachers: Node[] = [];
  const logits = lowerTerms(model, phase, teachers);
  if (output === "teach") return graphOf({ loss: teacherLoss(teachers, model) });
  if (output === "logits") return graphOf({ logits });
  const loss = crossEntropyNode(logits, inputNode("targets"), { site: "loss", origin: [model.span] });
  return graphOf({ loss });
}

/** The sum of all teachers for each counted token. Throws when the phase has none. */
function teacherLoss(teachers: readonly Node[], model: Model): Node {
  if (teachers.length === 0) throw new Error(`no attention of ${model.name} teaches in this phase`);
  const targets = inputNode("targets");
  const sum = teachers
    .map((_, n) => ir.operand(n))
    .reduce<ir.Expr>((all, one) => ir.add(all, one), ir.real(0));
  const counted = ir.not(ir.eq(ir.operand(teachers.length, "int"), ir.int(-1)));
  const at: Place = { site: "loss", origin: [model.span] };
  return mapNode([...teachers, targets], ir.select(counted, sum, ir.real(0)), at, targets.axes);
}

/** Terms that the last tokens alone need: their operands are cut to the text instead of their result. */
function tailOf(model: Model, order: readonly Term[]): ReadonlySet<Term> {
  const users = new Map<Term, number>();
  for (const term of order)
    for (const operand of new Set(termOperands(term))) users.set(operand, (users.get(operand) ?? 0) + 1);
  const tail = new Set<Term>();
  // Only a chain in which each term has one user: what is shared would be computed twice.
  let at: Term = model.output;
  for (;;) {
    const pointwise =
      at.kind === "contract" || at.kind === "map" || at.kind === "reshape" || at.kind === "reduce";
    const streams = termOperands(at).filter((operand) => operand.extent !== "model");
    const next = streams[0];
    if (!pointwise || streams.length !== 1 || next === undefined || users.get(next) !== 1) return tail;
    tail.add(at);
    at = next;
  }
}

/** The logits; losses [b] of teachers are added to `teachers`. */
function lowerTerms(model: Model, phase: AttentionPhase, teachers: Node[]): Node {
  const order = termOrder(model.output);
  const tail = model.output.plus > 0 ? tailOf(model, order) : new Set<Term>();
  const nodes = new Map<Term, Node>();
  const text = (node: Node, plus: number, at: Place): Node =>
    plus === 0 || !node.axes.some((own) => own.name === "t") ? node : sliceNode(node, "t", plus, at);
  for (const term of order) {
    const at: Place = { site: term.site, origin: [term.span] };
    const cut = tail.has(term);
    // Inside the tail, the first term cuts its operand; the terms above it are cut already.
    const node = (operand: Term): Node => {
      const made = nodes.get(operand)!;
      return cut && !tail.has(operand) ? text(made, operand.plus, at) : made;
    };
    nodes.set(term, lowerTerm(term, node, cut ? 0 : term.plus, phase, teachers, at));
  }
  const last = nodes.get(model.output)!;
  const at: Place = { site: model.output.site, origin: [model.output.span] };
  return tail.has(model.output) ? last : text(last, model.output.plus, at);
}

function lowerTerm(
  term: Term,
  node: (term: Term) => Node,
  plus: number,
  phase: AttentionPhase,
  teachers: Node[],
  at: Place,
): Node {
  switch (term.kind) {
    case "tokens":
      return inputNode("tokens");
    case "positions":
      return mapNode([], ir.add(ir.index("t"), ir.size("query-start")), at, [axis("t", lengthSize(plus))]);
    case "parameter":
      return parameterToNode(term.parameter);
    case "map":
      return mapNode(term.operands.map(node), renameIndices(term.body), at, axesOf(term, plus));
    case "reduce":
      return reduceNode(term.op, node(term.operand), term.over.map(axisName), at);
    case "contract": {
      const names = axesOf(term, plus).map((own) => own.name);
      return contractNode(node(term.left), node(term.right), term.over.map(axisName), at, names);
    }
    case "gather":
      return gatherNode(node(term.table), axisName(term.axis), node(term.index), at);
    case "reshape":
      return reshapeNode(node(term.operand), axesOf(term, plus), at);
    case "dropout":
      return phase === "training"
        ? dropoutNode(node(term.operand), term.rate, term.stream, at)
        : node(term.operand);
    case "attention": {
      const lowered = lowerAttention(term, node, phase, at);
      teachers.push(...lowered.teachers);
      return lowered.output;
    }
    case "prepend": {
      const vectors = node(term.vectors);
      const [count, ...others] = vectors.axes;
      const rows = reshapeNode(vectors, [{ ...count!, name: "t" }, ...others], at);
      return concatNode("t", [rows, node(term.operand)], at);
    }
    default:
      return term satisfies never;
  }
}

const renameIndices = (body: ir.Expr): ir.Expr =>
  ir.mapExpr(body, (e) => (e.kind === "index" ? ir.index(axisName(e.name)) : e));

function dropoutNode(operand: Node, rate: number, stream: number, at: Place): Node {
  const kept = ir.mul(ir.operand(0), ir.real(1 / (1 - rate)));
  return mapNode(
    [operand],
    ir.select(ir.lt(ir.uniform(stream), ir.real(rate)), ir.real(0), kept),
    at,
    operand.axes,
  );
}

export const parameterToNode = (parameter: ModelParameter): Node =>
  parameterNode(parameter.path, fixedAxes(parameter.axes), parameter.init, parameter.trainable, {
    site: parameter.path,
    origin: [parameter.span],
  });

/** The weights of a model as the Program lists them, in the order of the tree. */
export const parameterInfos = (model: Model): readonly ParameterInfo[] =>
  model.parameters.map((parameter) => ({
    path: parameter.path,
    shape: parameter.axes.map((own) => own.size),
    init: parameter.init,
    trainable: parameter.trainable,
  }));
