/** Prints expressions as TypeScript over plain numbers: what the host knows of a place, a block or a run. */
import {
  exprChildren,
  rectangleParts,
  someExpr,
  type BinaryOp,
  type Expr,
  type UnaryOp,
} from "../../ir/expr.ts";
import { c, joinFragments, scriptName, scriptNumber, type Fragment } from "../../ir/kernel.ts";

/** How leaves read where the text stands. */
export interface HostLeaves {
  readonly index: (name: string) => Fragment;
  readonly size: (name: Extract<Expr, { kind: "size" }>["name"]) => Fragment;
  readonly scalar: (name: string) => Fragment;
}

const unaryText: { readonly [K in UnaryOp]: (x: Fragment) => Fragment } = {
  neg: (x) => c`(-${x})`,
  abs: (x) => c`Math.abs(${x})`,
  exp: (x) => c`Math.exp(${x})`,
  log: (x) => c`Math.log(${x})`,
  sqrt: (x) => c`Math.sqrt(${x})`,
  tanh: (x) => c`Math.tanh(${x})`,
  sigmoid: (x) => c`(1 / (1 + Math.exp(-${x})))`,
  erf: (x) => c`erf(${x})`,
  sin: (x) => c`Math.sin(${x})`,
  cos: (x) => c`Math.cos(${x})`,
  floor: (x) => c`Math.floor(${x})`,
  ceil: (x) => c`Math.ceil(${x})`,
  sign: (x) => c`Math.sign(${x})`,
  "to-real": (x) => x,
  "to-int": (x) => c`Math.trunc(${x})`,
  not: (x) => c`!${x}`,
};

const binaryText: { readonly [K in BinaryOp]: (a: Fragment, b: Fragment) => Fragment } = {
  add: (a, b) => c`(${a} + ${b})`,
  sub: (a, b) => c`(${a} - ${b})`,
  mul: (a, b) => c`(${a} * ${b})`,
  div: (a, b) => c`(${a} / ${b})`,
  "floor-div": (a, b) => c`floorDiv(${a}, ${b})`,
  mod: (a, b) => c`floorMod(${a}, ${b})`,
  pow: (a, b) => c`Math.pow(${a}, ${b})`,
  min: (a, b) => c`Math.min(${a}, ${b})`,
  max: (a, b) => c`Math.max(${a}, ${b})`,
  lt: (a, b) => c`(${a} < ${b})`,
  le: (a, b) => c`(${a} <= ${b})`,
  eq: (a, b) => c`(${a} === ${b})`,
  and: (a, b) => c`(${a} && ${b})`,
  or: (a, b) => c`(${a} || ${b})`,
};

const list = (parts: readonly Fragment[]): Fragment => joinFragments(parts, c`, `);

/** How often each part is read, with all that it is made of. */
export function countUses(roots: readonly Expr[]): ReadonlyMap<Expr, number> {
  const uses = new Map<Expr, number>();
  const visit = (e: Expr): void => {
    const before = uses.get(e) ?? 0;
    uses.set(e, before + 1);
    if (before === 0) exprChildren(e).forEach(visit);
  };
  roots.forEach(visit);
  return uses;
}

/** True for a truth that is given as a number where it is read. */
export const asNumber = (e: Expr, text: Fragment): Fragment =>
  e.type === "bool" ? c`Number(${text})` : text;

/** Names of the functions of the runtime that texts call, as they are needed. */
export type Needed = Set<string>;

function printer(leaves: HostLeaves, needed: Needed, named: (e: Expr, text: Fragment) => Fragment) {
  const done = new Map<Expr, Fragment>();
  const visit = (e: Expr): Fragment => {
    const known = done.get(e);
    if (known !== undefined) return known;
    const text = named(e, print(e));
    done.set(e, text);
    return text;
  };
  const print = (e: Expr): Fragment => {
    switch (e.kind) {
      case "constant":
        if (e.type === "bool") return e.value === 0 ? c`false` : c`true`;
        return scriptNumber(e.value);
      case "index":
        return leaves.index(e.name);
      case "size":
        return leaves.size(e.name);
      case "scalar":
        return leaves.scalar(e.name);
      case "load": {
        const element = c`at.load(${list([c`${e.buffer}`, ...e.indices.map(visit)])})`;
        return e.type === "bool" ? c`(${element} !== 0)` : element;
      }
      case "set": {
        const operands = [...e.indices, e.element].map(visit);
        if (e.op === "any" || e.op === "all") {
          const { low, high } = rectangleParts(operands);
          return c`at.${scriptName(e.op)}(${e.buffer}, [${list(low)}], [${list(high)}])`;
        }
        return c`at.${scriptName(e.op)}(${e.buffer}, ${list([operands.at(-1)!, ...operands.slice(0, -1)])})`;
      }
      case "unary":
        if (e.op === "erf") needed.add("erf");
        if (e.op === "to-real") return asNumber(e.operand, visit(e.operand));
        return unaryText[e.op](visit(e.operand));
      case "binary": {
        const [a, b] = [visit(e.left), visit(e.right)];
        if (e.op === "floor-div") {
          if (e.right.kind === "constant" && e.right.value !== 0) return c`Math.floor(${a} / ${b})`;
          needed.add("floorDiv");
        }
        if (e.op === "mod") needed.add("floorMod");
        return binaryText[e.op](a, b);
      }
      case "select":
        return c`(${visit(e.condition)} ? ${visit(e.then)} : ${visit(e.otherwise)})`;
      case "logit":
      case "operand":
      case "uniform":
        throw new Error(`the host has no ${e.kind} here`);
      default:
        return e satisfies never;
    }
  };
  return visit;
}

/** The body of an arrow function; parts that are read more than once get names. */
export function hostBody(root: Expr, leaves: HostLeaves, needed: Needed): Fragment {
  const uses = countUses([root]);
  const definitions: Fragment[] = [];
  const text = printer(leaves, needed, (e, own) => {
    if (uses.get(e)! < 2 || exprChildren(e).length === 0) return own;
    const name = scriptName(`v${definitions.length + 1}`);
    definitions.push(c`const ${name} = ${own};`);
    return name;
  })(root);
  if (definitions.length === 0) return text;
  return c`{ ${joinFragments(definitions, c` `)} return ${text}; }`;
}

/** A number in place, without names of its own. */
export const hostNumber = (root: Expr, leaves: HostLeaves, needed: Needed): Fragment =>
  printer(leaves, needed, (_, own) => own)(root);

/** True when nothing but numbers, sizes and scalars are read. */
export const isPlain = (root: Expr): boolean =>
  !someExpr(root, (e) => ["index", "load", "set", "logit", "operand", "uniform"].includes(e.kind));

/** True when the host can say the value: nothing of a tensor that is differentiated or made on the device is read. */
export function isHosted(root: Expr): boolean {
  if (root.type !== "real") return !someExpr(root, (e) => isDevice(e));
  return !someExpr(root, (e) => isDevice(e) || (e.kind === "load" && e.type === "real"));
}
const isDevice = (e: Expr): boolean => e.kind === "logit" || e.kind === "operand" || e.kind === "uniform";

/** Names of the indices that an expression reads. */
export function indicesOf(root: Expr): ReadonlySet<string> {
  const found = new Set<string>();
  someExpr(root, (e) => {
    if (e.kind === "index") found.add(e.name);
    return false;
  });
  return found;
}
