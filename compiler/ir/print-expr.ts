/** Stable text of expressions: infix, whole numbers bare, reals with a point, parts used twice named `$n`. */
import { exprChildren, type BinaryOp, type Expr } from "./expr.ts";

const infix: { readonly [K in BinaryOp]: string | null } = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  "floor-div": "//",
  mod: "%",
  pow: "^",
  min: null,
  max: null,
  lt: "<",
  le: "<=",
  eq: "==",
  and: "and",
  or: "or",
};

function constantText(value: number, type: Expr["type"]): string {
  if (type === "bool") return value === 0 ? "false" : "true";
  const text = Object.is(value, -0) ? "-0" : String(value);
  return type === "int" || !Number.isInteger(value) || /e/.test(text) ? text : `${text}.0`;
}

function termText(e: Expr, kids: readonly string[]): string {
  switch (e.kind) {
    case "constant":
      return constantText(e.value, e.type);
    case "index":
      return e.name;
    case "size":
      return e.name;
    case "logit":
      return "s";
    case "operand":
      return `%${e.index}`;
    case "scalar":
      return `@${e.name}`;
    case "uniform":
      return `uniform(${e.stream})`;
    case "load":
      return `buffer${e.buffer}[${kids.join(", ")}]`;
    case "set":
      return `${e.op}(buffer${e.buffer}[${kids.slice(0, -1).join(", ")}], ${kids.at(-1)})`;
    case "unary":
      return `${e.op}(${kids[0]})`;
    case "binary": {
      const sign = infix[e.op];
      return sign === null ? `${e.op}(${kids.join(", ")})` : `(${kids[0]} ${sign} ${kids[1]})`;
    }
    case "select":
      return `(if ${kids[0]} then ${kids[1]} else ${kids[2]})`;
    default:
      return e satisfies never;
  }
}

/** The text; definitions of shared parts come first, each followed by a semicolon. */
export function showExpr(root: Expr): string {
  const uses = new Map<Expr, number>();
  const count = (e: Expr): void => {
    const before = uses.get(e) ?? 0;
    uses.set(e, before + 1);
    if (before === 0) exprChildren(e).forEach(count);
  };
  count(root);
  const texts = new Map<Expr, string>();
  const definitions: string[] = [];
  const show = (e: Expr): string => {
    const known = texts.get(e);
    if (known !== undefined) return known;
    let text = termText(e, exprChildren(e).map(show));
    if (uses.get(e)! > 1 && exprChildren(e).length > 0 && text.length > 12) {
      const name = `$${definitions.length}`;
      definitions.push(`${name} = ${text}; `);
      text = name;
    }
    texts.set(e, text);
    return text;
  };
  const text = show(root);
  return definitions.join("") + text;
}
