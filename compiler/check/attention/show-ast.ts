/** Prints Ast expressions on one line, for messages. */
import type { Expr } from "../../../grammar/ast.ts";

const strength = {
  or: 1,
  and: 2,
  not: 3,
  compare: 4,
  add: 5,
  multiply: 6,
  sign: 7,
  power: 8,
  atom: 9,
} as const;

function strengthOf(expr: Expr): number {
  switch (expr.kind) {
    case "logic":
      return strength[expr.op];
    case "unary":
      return expr.op === "not" ? strength.not : strength.sign;
    case "compare":
    case "membership":
      return strength.compare;
    case "binary":
      return expr.op === "+" || expr.op === "-"
        ? strength.add
        : expr.op === "^"
          ? strength.power
          : strength.multiply;
    case "reduction":
      return strength.multiply;
    case "if":
    case "at":
      return 0;
    case "number":
    case "string":
    case "name":
    case "index":
    case "call":
    case "member":
    case "tuple":
    case "error":
      return strength.atom;
    default:
      return expr satisfies never;
  }
}

/** The expression as it would be written. */
export function showAst(expr: Expr): string {
  const own = strengthOf(expr);
  const inner = (e: Expr, least: number): string => (strengthOf(e) < least ? `(${showAst(e)})` : showAst(e));
  switch (expr.kind) {
    case "number":
      return expr.text;
    case "string":
      return JSON.stringify(expr.value);
    case "name":
      return expr.name;
    case "index":
      return `${expr.base.name}[${expr.indices.map(showAst).join(", ")}]`;
    case "call": {
      const given = expr.arguments.map((a) => (a.name === null ? "" : `${a.name.text}: `) + showAst(a.value));
      return `${showAst(expr.callee)}(${given.join(", ")})`;
    }
    case "member":
      return `${showAst(expr.base)}.${expr.member.text}`;
    case "unary":
      return `${expr.op === "not" ? "not " : "-"}${inner(expr.operand, own)}`;
    case "binary":
      return `${inner(expr.left, own)} ${expr.op} ${inner(expr.right, own + 1)}`;
    case "logic":
      return `${inner(expr.left, own)} ${expr.op} ${inner(expr.right, own)}`;
    case "compare":
      return expr.operands
        .map((e, n) => (n === 0 ? "" : ` ${expr.operators[n - 1]!} `) + inner(e, own + 1))
        .join("");
    case "membership":
      return `${inner(expr.element, own + 1)} in ${inner(expr.set, own + 1)}`;
    case "if":
      return `if ${showAst(expr.condition)} then ${showAst(expr.then)} else ${showAst(expr.otherwise)}`;
    case "reduction": {
      const binders = expr.binders
        .map((b) => b.name.text + (b.in === null ? "" : ` in ${b.in.text}`))
        .join(", ");
      const per = expr.per === null ? "" : ` per ${expr.per.text}`;
      const guard = expr.guard === null ? "" : ` if ${showAst(expr.guard)}`;
      const tuple = expr.op === "dot" || expr.op === "attend" || expr.op === "stack";
      const bodies = expr.bodies.map(showAst).join(", ");
      return `${expr.op}[${binders}${per}${guard}]${tuple ? `(${bodies})` : ` ${inner(expr.bodies[0]!, strength.add)}`}`;
    }
    case "tuple":
      return `(${expr.elements.map(showAst).join(", ")})`;
    case "at":
      return `${showAst(expr.value)} at ${showAst(expr.position)}`;
    case "error":
      return "…";
    default:
      return expr satisfies never;
  }
}
