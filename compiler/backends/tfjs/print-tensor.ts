/** Prints expressions as operations of TensorFlow.js over tensors that broadcast; what the host can say is left to it. */
import { exprChildren, type BinaryOp, type Expr, type ExprType, type UnaryOp } from "../../ir/expr.ts";
import { c, joinFragments, scriptName, type Fragment } from "../../ir/kernel.ts";
import { countUses, isHosted, isPlain, type Needed } from "./print-host.ts";

/** How leaves read where the text stands. */
export interface TensorLeaves {
  /** A number that the whole run shares. */
  readonly plain: (e: Expr) => Fragment;
  /** A tensor of what the host says at each place. */
  readonly hosted: (e: Expr) => Fragment;
  /** True for what the host could say, but in fewer numbers part by part. */
  readonly divided: (e: Expr) => boolean;
  readonly logit: () => Fragment;
  readonly operand: (n: number) => Fragment;
  readonly load: (e: Extract<Expr, { kind: "load" }>) => Fragment;
  readonly uniform: (stream: number) => Fragment;
}

interface Printed {
  readonly text: Fragment;
  readonly form: "number" | "tensor";
  readonly type: ExprType;
}

const call = (name: string, ...args: readonly Fragment[]): Fragment =>
  c`tf.${scriptName(name)}(${joinFragments(args, c`, `)})`;

const unaryNames: { readonly [K in Exclude<UnaryOp, "to-real" | "to-int" | "floor" | "ceil">]: string } = {
  neg: "neg",
  abs: "abs",
  exp: "exp",
  log: "log",
  sqrt: "sqrt",
  tanh: "tanh",
  sigmoid: "sigmoid",
  erf: "erf",
  sin: "sin",
  cos: "cos",
  sign: "sign",
  not: "logicalNot",
};

const binaryNames: { readonly [K in Exclude<BinaryOp, "floor-div" | "mod">]: string } = {
  add: "add",
  sub: "sub",
  mul: "mul",
  div: "div",
  pow: "pow",
  min: "minimum",
  max: "maximum",
  lt: "less",
  le: "lessEqual",
  eq: "equal",
  and: "logicalAnd",
  or: "logicalOr",
};

/** The body of an arrow function that gives the value: a tensor, whatever it is made of. */
export function tensorBody(
  roots: readonly Expr[],
  leaves: TensorLeaves,
  needed: Needed,
): { readonly definitions: readonly Fragment[]; readonly values: readonly Printed[] } {
  const uses = countUses(roots);
  const definitions: Fragment[] = [];
  const done = new Map<Expr, Printed>();
  const need = (name: string): Fragment => {
    needed.add(name);
    return scriptName(name);
  };
  const visit = (e: Expr): Printed => {
    const known = done.get(e);
    if (known !== undefined) return known;
    let printed = print(e);
    if (printed.form === "tensor" && uses.get(e)! > 1 && exprChildren(e).length > 0) {
      const name = scriptName(`t${definitions.length + 1}`);
      definitions.push(c`const ${name} = ${printed.text};`);
      printed = { ...printed, text: name };
    }
    done.set(e, printed);
    return printed;
  };
  /** An operand of an operation whose other operand is a tensor: whole numbers and truths keep their type. */
  const beside = (own: Printed): Fragment => {
    if (own.form === "tensor" || own.type === "real") return own.text;
    return c`tf.scalar(${own.text}, ${own.type === "int" ? c`"int32"` : c`"bool"`})`;
  };
  const print = (e: Expr): Printed => {
    const tensor = (text: Fragment): Printed => ({ text, form: "tensor", type: e.type });
    if (isHosted(e)) {
      if (isPlain(e)) return { text: leaves.plain(e), form: "number", type: e.type };
      if (exprChildren(e).length === 0 || !leaves.divided(e)) return tensor(leaves.hosted(e));
    }
    switch (e.kind) {
      case "logit":
        return tensor(leaves.logit());
      case "operand":
        return tensor(leaves.operand(e.index));
      case "uniform":
        return tensor(leaves.uniform(e.stream));
      case "load":
        return tensor(leaves.load(e));
      case "unary": {
        const x = visit(e.operand);
        if (e.op === "to-real") return tensor(c`tf.cast(${x.text}, "float32")`);
        if (e.op === "to-int") return tensor(c`tf.cast(${x.text}, "int32")`);
        if (e.op === "floor" || e.op === "ceil")
          return tensor(c`tf.cast(tf.${scriptName(e.op)}(${x.text}), "int32")`);
        return tensor(call(unaryNames[e.op], x.text));
      }
      case "binary": {
        const [a, b] = [beside(visit(e.left)), beside(visit(e.right))];
        if (e.op === "floor-div") return tensor(c`${need("floorDivTensor")}(${a}, ${b})`);
        if (e.op === "mod") return tensor(c`${need("floorModTensor")}(${a}, ${b})`);
        return tensor(call(binaryNames[e.op], a, b));
      }
      case "select": {
        const [when, a, b] = [visit(e.condition), visit(e.then), visit(e.otherwise)];
        const chosen = c`${need("choose")}(${when.text}, ${beside(a)}, ${beside(b)})`;
        return tensor(chosen);
      }
      case "set":
      case "constant":
      case "index":
      case "size":
      case "scalar":
        throw new Error(`a ${e.kind} that the host does not know`);
      default:
        return e satisfies never;
    }
  };
  const values = roots.map(visit);
  return { definitions, values };
}

/** Text of a function body: the value alone, or a block with its parts before it. */
export function arrowBody(definitions: readonly Fragment[], value: Fragment): Fragment {
  if (definitions.length === 0) return value;
  return c`{ ${joinFragments(definitions, c` `)} return ${value}; }`;
}
