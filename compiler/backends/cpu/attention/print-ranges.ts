/** Prints bounds of an expression over a rectangle of queries and keys, as C interval arithmetic. */
import { exprChildren, type BinaryOp, type Expr, type UnaryOp } from "../../../ir/expr.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { doubleLiteral } from "../print-expr.ts";
import type { AttentionTable } from "./tables.ts";

const isReal = (e: Expr): boolean => e.type === "real";
const loose = (x: Fragment): Fragment => c`lctx_r_loose(${x})`;

/** Bounds from the two ends, for functions that never fall. */
const rising = (name: Fragment): ((x: Fragment) => Fragment) => {
  return (x) => loose(c`lctx_r(lctx_${name}_d(${x}.low), lctx_${name}_d(${x}.high))`);
};
const wave = (): Fragment => c`lctx_r(-1.0, 1.0)`;

const unaryRanges: { readonly [K in UnaryOp]: (x: Fragment, of: Expr) => Fragment } = {
  neg: (x) => c`lctx_r_neg(${x})`,
  abs: (x) => c`lctx_r_abs(${x})`,
  exp: rising(c`exp`),
  log: rising(c`log`),
  sqrt: rising(c`sqrt`),
  tanh: rising(c`tanh`),
  sigmoid: rising(c`sigmoid`),
  erf: rising(c`erf`),
  sin: wave,
  cos: wave,
  floor: (x, of) => c`lctx_r_floor(${isReal(of) ? loose(x) : x})`,
  ceil: (x, of) => c`lctx_r_ceil(${isReal(of) ? loose(x) : x})`,
  sign: (x, of) => c`lctx_r_sign(${isReal(of) ? loose(x) : x})`,
  "to-real": (x) => x,
  "to-int": (x, of) => (isReal(of) ? c`lctx_r_truncate(${loose(x)})` : x),
  not: (x) => c`lctx_r_not(${x})`,
};

const plain = (name: Fragment): ((a: Fragment, b: Fragment) => Fragment) => {
  return (a, b) => c`lctx_r_${name}(${a}, ${b})`;
};
/** Single precision may decide a close comparison of reals otherwise. */
const compare = (name: Fragment): ((a: Fragment, b: Fragment, of: Expr) => Fragment) => {
  return (a, b, of) =>
    isReal(of) ? c`lctx_r_${name}(${loose(a)}, ${loose(b)})` : c`lctx_r_${name}(${a}, ${b})`;
};

const binaryRanges: { readonly [K in BinaryOp]: (a: Fragment, b: Fragment, of: Expr) => Fragment } = {
  add: plain(c`add`),
  sub: plain(c`sub`),
  mul: plain(c`mul`),
  div: plain(c`div`),
  "floor-div": plain(c`floor_div`),
  mod: plain(c`mod`),
  pow: () => c`lctx_r_any()`,
  min: plain(c`min`),
  max: plain(c`max`),
  lt: compare(c`lt`),
  le: compare(c`le`),
  eq: compare(c`eq`),
  and: plain(c`and`),
  or: plain(c`or`),
};

/** Names of known leaves: ranges `q` and `k`, whole numbers by size name, floats by scalar name. */
export interface RangeLeaves {
  readonly size: (name: string) => Fragment;
  readonly scalar: (name: string) => Fragment;
  readonly tables: readonly AttentionTable[];
}

/** Statements that bind a `lctx_range` for each of `exprs`, and the names bound. Reads `a`, `b`, `h`, `q0` … `k1`. */
export function printRanges(
  exprs: readonly Expr[],
  leaves: RangeLeaves,
): { readonly statements: Fragment; readonly names: readonly Fragment[] } {
  const statements: Fragment[] = [];
  const done = new Map<Expr, Fragment>();
  const exact = (text: Fragment): Fragment => c`lctx_r((double)(${text}), (double)(${text}))`;

  const compute = (e: Expr, kids: readonly Fragment[]): Fragment => {
    switch (e.kind) {
      case "constant":
        return c`lctx_r(${doubleLiteral(e.value)}, ${doubleLiteral(e.value)})`;
      case "index":
        if (e.name === "q") return c`lctx_r((double)q0, (double)q1)`;
        if (e.name === "k") return c`lctx_r((double)k0, (double)k1)`;
        if (e.name === "h") return exact(c`h`);
        throw new Error(`attention has no index ${e.name}`);
      case "size":
        return exact(leaves.size(e.name));
      case "scalar":
        return exact(leaves.scalar(e.name));
      case "load": {
        const table = leaves.tables[e.buffer]!;
        if (table.dtype !== "i32" || table.extents.length !== 1) return c`lctx_r_any()`;
        return c`lctx_r_load(${table.base}, ${table.extents[0]!}, ${kids[0]!})`;
      }
      case "set": {
        if (e.op === "rank") return c`lctx_r(0.0, lctx_max_d(${kids.at(-1)!}.high, 0.0))`;
        const table = leaves.tables[e.buffer]!;
        const extents = joinFragments(table.extents, c`, `);
        const row = joinFragments([...kids.slice(0, -1), c`{0}`], c`, `);
        return c`lctx_r_member(${table.base}, ${kids.length - 1}, (const int64_t[]){${extents}}, (const lctx_range[]){${row}}, ${kids.at(-1)!})`;
      }
      case "logit":
      case "operand":
      case "uniform":
        return c`lctx_r_any()`;
      case "unary":
        return unaryRanges[e.op](kids[0]!, e.operand);
      case "binary":
        return binaryRanges[e.op](kids[0]!, kids[1]!, e.left);
      case "select":
        return c`lctx_r_select(${kids[0]!}, ${kids[1]!}, ${kids[2]!})`;
      default:
        return e satisfies never;
    }
  };
  const visit = (e: Expr): Fragment => {
    const known = done.get(e);
    if (known !== undefined) return known;
    // Bounds of a rank follow from the element alone.
    const read = e.kind === "set" && e.op === "rank" ? [e.element] : exprChildren(e);
    const text = compute(e, read.map(visit));
    const name = identifier("r", done.size);
    statements.push(c`  const lctx_range ${name} = ${text};\n`);
    done.set(e, name);
    return name;
  };
  const names = exprs.map(visit);
  return { statements: joinFragments(statements, c``), names };
}
