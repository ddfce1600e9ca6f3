/** Orders and rebuilds terms without deep recursion. */
import type { ModelParameter } from "./model.ts";
import { termOperands, type Term } from "./term.ts";

/** The same terms over parameters that know whether they train. */
export function withParameters(root: Term, settled: ReadonlyMap<string, ModelParameter>): Term {
  const done = new Map<Term, Term>();
  const visit = (term: Term): Term => {
    const known = done.get(term);
    if (known !== undefined) return known;
    const made = rebuild(term);
    done.set(term, made);
    return made;
  };
  const rebuild = (term: Term): Term => {
    switch (term.kind) {
      case "tokens":
      case "positions":
        return term;
      case "parameter":
        return { ...term, parameter: settled.get(term.parameter.path) ?? term.parameter };
      case "map":
        return { ...term, operands: term.operands.map(visit) };
      case "reduce":
      case "reshape":
      case "dropout":
        return { ...term, operand: visit(term.operand) };
      case "contract":
        return { ...term, left: visit(term.left), right: visit(term.right) };
      case "gather":
        return { ...term, table: visit(term.table), index: visit(term.index) };
      case "attention":
        return {
          ...term,
          query: visit(term.query),
          key: visit(term.key),
          value: visit(term.value),
          tables: new Map([...term.tables].map(([name, table]) => [name, visit(table)])),
          prepended: term.prepended.map((part) => ({ key: visit(part.key), value: visit(part.value) })),
        };
      case "prepend":
        return { ...term, vectors: visit(term.vectors), operand: visit(term.operand) };
      default:
        return term satisfies never;
    }
  };
  // Deep models have long chains of terms: operands are rebuilt first, so that the stack stays short.
  for (const term of termOrder(root)) visit(term);
  return visit(root);
}

/** All terms below and including one, operands first; without recursion. */
export function termOrder(root: Term): readonly Term[] {
  const order: Term[] = [];
  const state = new Map<Term, "open" | "done">();
  const stack: Term[] = [root];
  while (stack.length > 0) {
    const term = stack[stack.length - 1]!;
    if (state.get(term) === undefined) {
      state.set(term, "open");
      for (const operand of [...termOperands(term)].reverse()) if (!state.has(operand)) stack.push(operand);
    } else {
      stack.pop();
      if (state.get(term) === "open") order.push(term);
      state.set(term, "done");
    }
  }
  return order;
}
