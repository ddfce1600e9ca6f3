/** Reads the clauses of one phase of an attention into what lowering needs: expressions, tables, rotations, teachers. */
import type { Expr } from "../../../grammar/ast.ts";
import type { Reporter } from "../../diagnostics/reporter.ts";
import type {
  AttentionBuffer,
  AttentionMeaning,
  AttentionTeacher,
  RotationRegion,
} from "../../ir/attention-meaning.ts";
import * as ir from "../../ir/expr.ts";
import { nodeOperands } from "../../ir/graph-operands.ts";
import type { Node } from "../../ir/graph.ts";
import type { Span } from "../../source/span.ts";
import { evaluateMeant } from "./evaluate-meant.ts";
import { conjuncts, readsOf } from "./expr-tools.ts";
import { renumbered, tableNode, type Making } from "./make-node.ts";
import { exprOf, scalar } from "./meant.ts";
import type { PhaseRun } from "./open-phase.ts";
import { ownLogit } from "./pair-view.ts";
import { readRegion } from "./regions.ts";
import type { Tables } from "./tables.ts";
import { teacherOf } from "./teachers.ts";
import { mapWeightExpr, weightOf } from "./weights.ts";

const [q, k] = [ir.index("q"), ir.index("k")];

/** What refuses at a clause. */
const makingAt = ({ run, tables, scope }: PhaseRun, span: Span): Making => ({
  tables,
  at: { site: scope.definition.name, origin: [span] },
  refuse(what) {
    run.unsupported(what, span);
    return null;
  },
});

function condition(value: Expr, opened: PhaseRun): ir.Expr | null {
  const meant = evaluateMeant(value, opened.scope, opened.run);
  const expr = meant === null ? null : exprOf(meant);
  if (expr?.type !== "bool") return null;
  const making = makingAt(opened, value.span);
  const own = ownLogit(expr, making);
  // The checker reports it; what is read here is still asked for every pair.
  const learned = own !== null && ir.someExpr(own, (e) => e === ir.logit);
  return learned ? making.refuse("a mask that reads the logit") : own;
}

/** The rotations of a phase, the last one for all pairs. The logit is known from then on, not to what they read themselves. */
function readRegions(opened: PhaseRun): readonly RotationRegion[] {
  const { tables } = opened;
  const regions: RotationRegion[] = [];
  for (const clause of opened.clauses) {
    if (clause.kind !== "rotate") continue;
    const region = readRegion(clause, opened.scope, opened.run);
    if (region !== null) regions.push(region);
  }
  const last = regions.at(-1)?.when;
  if (last?.kind !== "constant" || last.value !== 1)
    regions.push({ when: ir.bool(true), queryPosition: q, keyPosition: k, turn: null });
  const { rotation, headSize } = tables.shape;
  const law = rotation?.(headSize) ?? null;
  tables.regions = regions.map((region, n) => ({
    query: tables.hole(`logit-query:${n}`),
    key: tables.hole(`logit-key:${n}`),
    when: region.when,
    turn: region.turn === null || law === null ? null : { ...law, ...region.turn },
  }));
  return regions;
}

/** One phase; what it cannot express is listed as unsupported and left out. null after a report. */
export function readPhase(opened: PhaseRun, reporter: Reporter): AttentionMeaning | null {
  const { clauses, run, scope, unsupported } = opened;
  let mask: ir.Expr = ir.bool(true);
  let ahead: ir.Expr | null = null;
  let score: ir.Expr | null = null;
  let weight: AttentionMeaning["weight"] = null;
  const teachers: AttentionTeacher[] = [];
  const assumed: ir.Expr[] = [];
  const before = reporter.errorCount;
  const regions = readRegions(opened);
  for (const clause of clauses) {
    const noted = unsupported.length;
    const unclear = (): void => {
      if (unsupported.length === noted && reporter.errorCount === before)
        run.unsupported("this expression", clause.span);
    };
    if (clause.kind === "mask-clause") {
      const value = condition(clause.value, opened);
      if (value === null) unclear();
      else mask = mask.kind === "constant" ? value : ir.and(mask, value);
    } else if (clause.kind === "ahead") {
      const value = condition(clause.value, opened);
      if (value === null) unclear();
      else ahead = ahead === null ? value : ir.or(ahead, value);
    } else if (clause.kind === "score-clause" || clause.kind === "weight-clause") {
      const names = new Map(scope.names);
      if (score !== null) names.set("s", scalar(score));
      const meant = evaluateMeant(clause.value, { ...scope, names }, run);
      const value = meant === null ? null : exprOf(meant);
      const making = makingAt(opened, clause.value.span);
      if (value === null || value.type === "bool") unclear();
      else if (clause.kind === "weight-clause") {
        const tree = weightOf(value, making, assumed);
        if (tree !== null) weight = { value: tree, span: clause.value.span };
      } else score = ownLogit(ir.toReal(value), making) ?? score;
    } else if (clause.kind === "teach") {
      const teacher = teacherOf(clause, scope, run, (e, within) => evaluateMeant(e, within, run));
      if (teacher === null) unclear();
      else teachers.push(teacher);
    }
  }
  const weighs = clauses.find((clause) => clause.kind === "weight-clause");
  const masked = conjuncts(mask);
  if (
    weighs !== undefined &&
    assumed.some((guard) => conjuncts(guard).some((part) => !masked.includes(part)))
  )
    run.unsupported("a denominator that leaves out keys which `mask` shows", weighs.span);
  if (weighs !== undefined && score !== null) run.unsupported("`score` beside `weight`", weighs.span);
  if (reporter.errorCount > before) return null;
  return numbered({ mask, ahead, score: score ?? ir.logit, weight, regions, teachers, unsupported }, opened);
}

/** The meaning with only the buffers that its expressions load, numbered in the order in which they came up. */
function numbered(meaning: Omit<AttentionMeaning, "buffers">, opened: PhaseRun): AttentionMeaning | null {
  const { tables, scope } = opened;
  const exprs: ir.Expr[] = [];
  const visit = (change: (e: ir.Expr) => ir.Expr): Omit<AttentionMeaning, "buffers"> => ({
    ...meaning,
    mask: change(meaning.mask),
    ahead: meaning.ahead === null ? null : change(meaning.ahead),
    score: change(meaning.score),
    weight:
      meaning.weight === null
        ? null
        : { ...meaning.weight, value: mapWeightExpr(meaning.weight.value, change) },
    regions: meaning.regions.map((region) => ({
      when: change(region.when),
      queryPosition: change(region.queryPosition),
      keyPosition: change(region.keyPosition),
      turn: region.turn === null ? null : { ...region.turn, position: change(region.turn.position) },
    })),
  });
  visit((e) => {
    exprs.push(e);
    return e;
  });
  const used = [...new Set(readsOf(...exprs).map(({ buffer }) => buffer))].sort((a, b) => a - b);
  const making = makingAt(opened, scope.definition.item.span);
  const buffers = used.map((number): AttentionBuffer | null => {
    const table = tables.at(number);
    if (table.kind !== "dot" && table.kind !== "logit" && table.kind !== "softmax") return table;
    const node = tableNode(number, making);
    return node === null ? null : { kind: "node", node };
  });
  // What was refused is left out: nothing of it may stay in the expressions.
  if (opened.phase === "training") {
    const soft = [meaning.score, ...exprsOfWeight(meaning.weight)];
    const folded = realLoads(soft).filter(({ buffer }) => foldsPairs(tables, buffer));
    const clause = opened.clauses.find(({ kind }) => kind === "score-clause" || kind === "weight-clause");
    if (folded.length > 0 && clause !== undefined)
      opened.run.unsupported(
        "training through a sum or an extreme over pairs, which passes no gradient,",
        clause.span,
      );
  }
  if (buffers.some((buffer) => buffer === null)) return { ...emptyMeaning, unsupported: meaning.unsupported };
  const numbers = new Map(used.map((number, n) => [number, n]));
  return { ...visit((e) => renumbered(e, numbers)), buffers: buffers as AttentionBuffer[] };
}

const exprsOfWeight = (weight: AttentionMeaning["weight"]): readonly ir.Expr[] => {
  const found: ir.Expr[] = [];
  if (weight !== null)
    mapWeightExpr(weight.value, (e) => {
      found.push(e);
      return e;
    });
  return found;
};

/** Loads through which a gradient flows. */
const realLoads = (exprs: readonly ir.Expr[]): readonly ir.Load[] =>
  readsOf(...exprs).flatMap((read) => (read.kind === "load" && read.type === "real" ? [read] : []));

/** Whether a table is made of folds over pairs, which count as constants: its gradient would be wrong in silence. */
function foldsPairs(tables: Tables, number: number): boolean {
  const table = tables.at(number);
  const seen = new Set<Node>();
  const visit = (node: Node): boolean => {
    if (seen.has(node)) return false;
    seen.add(node);
    if (node.kind === "pair-reduce" || node.kind === "log-sum-exp") return true;
    return node.dtype === "f32" && nodeOperands(node).some(visit);
  };
  return table.kind === "node" && visit(table.node);
}

const emptyMeaning: AttentionMeaning = {
  mask: ir.bool(true),
  ahead: null,
  score: ir.logit,
  weight: null,
  regions: [{ when: ir.bool(true), queryPosition: q, keyPosition: k, turn: null }],
  teachers: [],
  buffers: [],
  unsupported: [],
};
