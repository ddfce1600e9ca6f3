/** Prints scalar expressions as C: straight-line statements in scalar, vector or double form, hoisted by scope. */
import {
  exprChildren,
  type BinaryOp,
  type Expr,
  type ExprType,
  type SetRead,
  type UnaryOp,
} from "../../ir/expr.ts";
import { c, identifier, joinFragments, realLiteral, type Fragment } from "../../ir/kernel.ts";

/**
 * How numbers are held. `single`: float, int32_t, int (0 or 1). `lanes`: vf, vi, vi (0 or −1). `double`: double, int64_t,
 * int. A printer mixes `single` and `lanes` (a value that is equal in all lanes stays scalar) or uses `double` alone.
 */
export type ValueForm = "single" | "lanes" | "double";

/** A C expression without side effects, safe to print more than once: a name or a literal. */
export interface PrintedValue {
  readonly text: Fragment;
  readonly type: ExprType;
  readonly form: ValueForm;
  /** Depth of the loop where it is known: 0 outside all loops. */
  readonly scope: number;
}

/** What the leaves of an expression are in the place where it is printed. A leaf the place does not have should throw. */
export interface ExprLeaves {
  readonly index: (name: string) => PrintedValue;
  readonly size: (name: string) => PrintedValue;
  readonly scalar: (name: string) => PrintedValue;
  readonly logit: () => PrintedValue;
  readonly operand: (index: number, type: ExprType) => PrintedValue;
  /** The element; its text may be any expression without side effects (it is given a name here). Must stay inside the buffer for every index. */
  readonly load: (buffer: number, indices: readonly PrintedValue[], type: ExprType) => PrintedValue;
  /** What is asked of a set; left out where nothing reads sets. Must hold for every row and element. */
  readonly set?: (read: SetRead, row: readonly PrintedValue[], element: PrintedValue) => PrintedValue;
  readonly uniform: (stream: number) => PrintedValue;
}

export interface ExprPrinter {
  /** The value of an expression; its statements go to the scope where all its leaves are known. */
  readonly print: (expr: Expr) => PrintedValue;
  /** The statements of one scope since the last time they were taken, in order. */
  readonly take: (scope: number) => Fragment;
  /** The value in all lanes, or itself when it is already a vector. */
  readonly spread: (value: PrintedValue) => Fragment;
  /** Gives a name to a fragment of ours, as a statement of the given scope. */
  readonly name: (value: PrintedValue) => PrintedValue;
  /** A statement of ours in the given scope that declares a name of its own; that name. */
  readonly declare: (scope: number, statement: (name: Fragment) => Fragment) => Fragment;
}

const typeNames: Readonly<Record<ValueForm, Readonly<Record<ExprType, Fragment>>>> = {
  single: { real: c`float`, int: c`int32_t`, bool: c`int` },
  lanes: { real: c`vf`, int: c`vi`, bool: c`vi` },
  double: { real: c`double`, int: c`int64_t`, bool: c`int` },
};

const suffixes: Readonly<Record<ValueForm, Fragment>> = { single: c`_s`, lanes: c`_v`, double: c`_d` };

/** The C type of values of this type and form. */
export const valueType = (type: ExprType, form: ValueForm): Fragment => typeNames[form][type];

/** A double literal that parses back to exactly the same number. */
export function doubleLiteral(value: number): Fragment {
  if (Number.isNaN(value)) return c`((double)LCTX_NAN)`;
  if (value === Infinity) return c`((double)LCTX_INF)`;
  if (value === -Infinity) return c`(-(double)LCTX_INF)`;
  if (Object.is(value, -0)) return c`(-0.0)`;
  let mantissa = value;
  let exponent = 0;
  while (!Number.isSafeInteger(mantissa)) {
    const larger = Math.abs(mantissa) >= 2 ** 53;
    mantissa = larger ? mantissa / 2 : mantissa * 2;
    exponent += larger ? 1 : -1;
  }
  // A power of two below 2^-1022 is no literal, so the smallest numbers take two steps.
  const first = Math.max(exponent, -1000);
  const scale = exponent === first ? c`0x1p${first}` : c`0x1p${first} * 0x1p${exponent - first}`;
  return exponent === 0 ? c`(${mantissa}.0)` : c`(${mantissa}.0 * ${scale})`;
}

/** A float literal, infinities and NaN included. */
export function floatLiteral(value: number): Fragment {
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return c`LCTX_NAN`;
  if (rounded === Infinity) return c`LCTX_INF`;
  if (rounded === -Infinity) return c`(-LCTX_INF)`;
  return rounded < 0 || Object.is(rounded, -0) ? c`(${realLiteral(rounded)})` : realLiteral(rounded);
}

function literal(value: number, type: ExprType, form: ValueForm): Fragment {
  if (type === "real") return form === "double" ? doubleLiteral(value) : floatLiteral(value);
  if (type === "bool") return c`${value === 0 ? 0 : 1}`;
  if (form === "double") return c`((int64_t)${Math.trunc(value)})`;
  if (value < -2147483648 || value > 2147483647) throw new RangeError(`${value} is no 32-bit whole number`);
  return value === -2147483648 ? c`(-2147483647 - 1)` : c`(${value})`;
}

/** What an operation prints, from its operand types (all of one form) and the suffix of that form's functions. */
type UnaryRule = (x: Fragment, type: ExprType, form: ValueForm) => Fragment;
type BinaryRule = (a: Fragment, b: Fragment, type: ExprType, form: ValueForm) => Fragment;

const call1 = (name: Fragment): UnaryRule => {
  return (x, _type, form) => c`lctx_${name}${suffixes[form]}(${x})`;
};
/** The function has another form for whole numbers. */
const callTyped = (name: Fragment): UnaryRule => {
  return (x, type, form) =>
    type === "int" ? c`lctx_${name}_int${suffixes[form]}(${x})` : c`lctx_${name}${suffixes[form]}(${x})`;
};

const asNumber = (x: Fragment, type: ExprType, form: ValueForm): Fragment =>
  type === "bool" && form === "lanes" ? c`(-${x})` : x;

const unaryRules: { readonly [K in UnaryOp]: UnaryRule } = {
  neg: (x) => c`(-${x})`,
  abs: callTyped(c`abs`),
  exp: call1(c`exp`),
  log: call1(c`log`),
  sqrt: call1(c`sqrt`),
  tanh: call1(c`tanh`),
  sigmoid: call1(c`sigmoid`),
  erf: call1(c`erf`),
  sin: call1(c`sin`),
  cos: call1(c`cos`),
  floor: call1(c`floor`),
  ceil: call1(c`ceil`),
  sign: callTyped(c`sign`),
  "to-real": (x, type, form) => c`lctx_to_real${suffixes[form]}(${asNumber(x, type, form)})`,
  "to-int": (x, type, form) =>
    type === "real" ? c`lctx_truncate${suffixes[form]}(${x})` : asNumber(x, type, form),
  not: call1(c`not`),
};

const binaryRules: { readonly [K in BinaryOp]: BinaryRule } = {
  add: (a, b) => c`(${a} + ${b})`,
  sub: (a, b) => c`(${a} - ${b})`,
  mul: (a, b) => c`(${a} * ${b})`,
  div: (a, b) => c`(${a} / ${b})`,
  "floor-div": (a, b, _type, form) => c`lctx_floor_div${suffixes[form]}(${a}, ${b})`,
  mod: (a, b, _type, form) => c`lctx_mod${suffixes[form]}(${a}, ${b})`,
  pow: (a, b, _type, form) => c`lctx_pow${suffixes[form]}(${a}, ${b})`,
  min: (a, b, type, form) =>
    type === "int" ? c`lctx_min_int${suffixes[form]}(${a}, ${b})` : c`lctx_min${suffixes[form]}(${a}, ${b})`,
  max: (a, b, type, form) =>
    type === "int" ? c`lctx_max_int${suffixes[form]}(${a}, ${b})` : c`lctx_max${suffixes[form]}(${a}, ${b})`,
  lt: (a, b) => c`(${a} < ${b})`,
  le: (a, b) => c`(${a} <= ${b})`,
  eq: (a, b) => c`(${a} == ${b})`,
  and: (a, b) => c`(${a} & ${b})`,
  or: (a, b) => c`(${a} | ${b})`,
};

/** log2 of a power of two that a 32-bit number can hold, or null. */
function powerOfTwo(e: Expr): number | null {
  if (e.kind !== "constant" || e.value <= 0 || e.value > 2 ** 30) return null;
  const power = Math.log2(e.value);
  return Number.isInteger(power) ? power : null;
}

/** Products instead of a power, where the exponent is a small constant. */
function smallPower(base: Fragment, exponent: Expr): Fragment | null {
  if (exponent.kind !== "constant") return null;
  switch (exponent.value) {
    case 1:
      return base;
    case 2:
      return c`(${base} * ${base})`;
    case 3:
      return c`(${base} * ${base} * ${base})`;
    case 4:
      return c`((${base} * ${base}) * (${base} * ${base}))`;
    case -1:
      return c`(1.0f / ${base})`;
    default:
      return null;
  }
}

/**
 * A printer over the given leaves. Each shared part is one statement. Names start with `word`, so two printers may share
 * a C function. With `form` "double" everything is double; else leaves decide between `single` and `lanes`.
 */
export function exprPrinter(
  leaves: ExprLeaves,
  word: string,
  form: "single" | "double" = "single",
): ExprPrinter {
  const done = new Map<Expr, PrintedValue>();
  const scopes = new Map<number, Fragment[]>();
  let count = 0;

  const declare: ExprPrinter["declare"] = (scope, statement) => {
    const named = identifier(word, count++);
    const statements = scopes.get(scope) ?? [];
    scopes.set(scope, statements);
    statements.push(statement(named));
    return named;
  };

  const name = (value: PrintedValue): PrintedValue => ({
    ...value,
    text: declare(
      value.scope,
      (named) => c`const ${valueType(value.type, value.form)} ${named} = ${value.text};\n`,
    ),
  });

  const spread = (value: PrintedValue): Fragment => {
    if (value.form === "lanes") return value.text;
    if (value.form === "double") throw new Error("a double has no lanes");
    const splats = { real: c`lctx_splat_real`, int: c`lctx_splat_int`, bool: c`lctx_splat_bool` };
    return c`${splats[value.type]}(${value.text})`;
  };

  /** Texts of operands in one form: vectors where any is one. */
  const align = (values: readonly PrintedValue[]): { form: ValueForm; texts: readonly Fragment[] } => {
    const wide = values.some((value) => value.form === "lanes");
    const texts = values.map((value) => (wide ? spread(value) : value.text));
    return { form: wide ? "lanes" : (values[0]?.form ?? form), texts };
  };

  const compute = (e: Expr, kids: readonly PrintedValue[]): PrintedValue => {
    const scope = Math.max(0, ...kids.map((kid) => kid.scope));
    switch (e.kind) {
      case "constant":
        return { text: literal(e.value, e.type, form), type: e.type, form, scope: 0 };
      case "index":
        return leaves.index(e.name);
      case "size":
        return leaves.size(e.name);
      case "scalar":
        return leaves.scalar(e.name);
      case "logit":
        return leaves.logit();
      case "operand":
        return leaves.operand(e.index, e.type);
      case "uniform":
        return name(leaves.uniform(e.stream));
      case "load":
        return name(leaves.load(e.buffer, kids, e.type));
      case "set": {
        if (leaves.set === undefined) throw new Error("an expression reads a set where there is none");
        return name(leaves.set(e, kids.slice(0, -1), kids.at(-1)!));
      }
      case "unary": {
        const x = kids[0]!;
        return name({ text: unaryRules[e.op](x.text, x.type, x.form), type: e.type, form: x.form, scope });
      }
      case "binary": {
        const power = powerOfTwo(e.right);
        const x = kids[0]!;
        // Floor division by 2^n is an arithmetic shift and its remainder the low bits, for negatives too.
        if (power !== null && e.op === "floor-div")
          return name({ text: c`(${x.text} >> ${power})`, type: "int", form: x.form, scope });
        if (power !== null && e.op === "mod")
          return name({ text: c`(${x.text} & ${2 ** power - 1})`, type: "int", form: x.form, scope });
        const product = e.op === "pow" && x.form !== "double" ? smallPower(x.text, e.right) : null;
        if (product !== null) return name({ text: product, type: "real", form: x.form, scope });
        const both = align(kids);
        const text = binaryRules[e.op](both.texts[0]!, both.texts[1]!, kids[0]!.type, both.form);
        return name({ text, type: e.type, form: both.form, scope });
      }
      case "select": {
        const { form: shape, texts } = align(kids);
        const kind = e.type === "real" ? c`real` : c`int`;
        const text = c`lctx_select_${kind}${suffixes[shape]}(${joinFragments(texts, c`, `)})`;
        return name({ text, type: e.type, form: shape, scope });
      }
      default:
        return e satisfies never;
    }
  };

  const print = (e: Expr): PrintedValue => {
    const known = done.get(e);
    if (known !== undefined) return known;
    const value = compute(e, exprChildren(e).map(print));
    done.set(e, value);
    return value;
  };

  const take = (scope: number): Fragment => {
    const statements = scopes.get(scope) ?? [];
    scopes.set(scope, []);
    return joinFragments(statements, c``);
  };

  return { print, take, spread, name, declare };
}
