/** `teach t by kl from T scale s`: a loss for each row of the batch, s · mean of T · (log T − log t). */
import type { Expr, TeachClause } from "../../../grammar/ast.ts";
import type { AttentionTeacher } from "../../ir/attention-meaning.ts";
import * as ir from "../../ir/expr.ts";
import { sizeExpr } from "../../ir/graph-axes.ts";
import { mapNode, reduceNode } from "../../ir/graph-build.ts";
import { gradientReach } from "../../ir/gradient-operands.ts";
import type { Node } from "../../ir/graph.ts";
import type { Elaboration } from "./evaluate-meant.ts";
import { freeIndices, readsOf } from "./expr-tools.ts";
import { nodeOf, tableNode, type Making } from "./make-node.ts";
import { least, pairDivergence, type Divergence } from "./teach-pairs.ts";
import { indexMeant } from "./meant-reductions.ts";
import { exprOf, type Meant, type MeantScope } from "./meant.ts";

type Evaluate = (expr: Expr, scope: MeantScope) => Meant | null;

/** Whether a gradient could pass through a node to what the model or the attention learns. */
const learns = (node: Node): boolean => [...gradientReach(node)].some(({ kind }) => kind === "hole");

/** The teacher of a clause; null after a report or a note. */
export function teacherOf(
  clause: TeachClause,
  scope: MeantScope,
  run: Elaboration,
  evaluate: Evaluate,
): AttentionTeacher | null {
  const { tables } = run;
  const refuse = (what: string): null => {
    run.unsupported(what, clause.span);
    return null;
  };
  const taught = scope.names.get(clause.name.text);
  if (tables === null || taught?.kind !== "table") return refuse("`teach` of this table");
  const making: Making = {
    tables,
    refuse,
    at: { site: `${scope.definition.name}.${clause.name.text}`, origin: [clause.span] },
  };
  const names = new Map(scope.names);
  for (const axis of taught.axes) names.set(axis, indexMeant(axis, ir.index(axis), scope, tables));
  const own = taught.at(taught.axes.map((axis) => names.get(axis)!));
  const from = evaluate(clause.from, { ...scope, names });
  const student = own === null ? null : exprOf(own);
  const teacher = from === null ? null : exprOf(from);
  const factor = clause.scale === null ? ir.real(1) : scaleOf(evaluate(clause.scale, scope));
  if (student === null || teacher === null || factor === null) return null;
  if (student.type === "bool" || teacher.type === "bool" || freeIndices(factor).size > 0)
    return refuse("`teach` of this table");
  const overKeys = pairDivergence(student, teacher, making);
  const divergence = overKeys === undefined ? tableDivergence(student, teacher, making) : overKeys;
  return divergence === null ? null : { loss: meanOf(divergence, factor, making), span: clause.span };
}

/** T · (log T − log t) for each element of stored tables t and T; null after a refusal. */
function tableDivergence(student: ir.Expr, teacher: ir.Expr, making: Making): Divergence | null {
  const { tables, refuse } = making;
  for (const read of readsOf(teacher)) {
    const node = tableNode(read.buffer, making);
    if (node === null) return null;
    if (learns(node)) return refuse("a teacher that could learn from what it teaches");
  }
  const indices = tables.ordered(freeIndices(student, teacher));
  const target = nodeOf(ir.toReal(teacher), indices, making);
  const known = student.kind === "load" ? tables.logarithms.get(student.buffer) : undefined;
  const plain =
    student.kind === "load" && student.indices.every((index, n) => index === ir.index(indices[n]!));
  const log =
    known !== undefined && plain ? known : ir.unary("log", ir.binary("max", ir.toReal(student), least));
  const logs = nodeOf(log, indices, making);
  if (target === null || logs === null) return null;
  if (target.axes[0]?.name !== "b" && logs.axes[0]?.name !== "b")
    return refuse("a teacher that reads no text");
  const [x, y] = [ir.operand(0), ir.operand(1)];
  const body = ir.select(ir.le(x, ir.real(0)), ir.real(0), ir.mul(x, ir.sub(ir.unary("log", x), y)));
  const wide = target.axes[0]?.name === "b" ? target : logs;
  const each = mapNode([target, logs], body, making.at, wide.axes);
  const count = each.axes.slice(1).reduce<ir.Expr>((n, { size }) => ir.mul(n, sizeExpr(size)), ir.int(1));
  return { each, count };
}

/** Times `factor`, for each row of the batch. */
function meanOf({ each, count }: Divergence, factor: ir.Expr, { at }: Making): Node {
  const over = each.axes.slice(1).map(({ name }) => name);
  const total = over.length === 0 ? each : reduceNode("sum", each, over, at);
  const share = ir.div(ir.mul(ir.toReal(factor), ir.operand(0)), ir.toReal(count));
  return mapNode([total], share, at, total.axes);
}

const scaleOf = (meant: Meant | null): ir.Expr | null => {
  const expr = meant === null ? null : exprOf(meant);
  return expr === null || expr.type === "bool" ? null : expr;
};
