/** The exact meaning of every scalar operation in float64; truth values are 0 and 1, whole numbers are exact up to 2^53. */
import type { BinaryOp, UnaryOp } from "./expr.ts";

/**
 * The error function to about 1e-15: its Maclaurin series near 0, the continued fraction of erfc (Abramowitz and
 * Stegun 7.1.14) farther out.
 */
export function erf(x: number): number {
  const t = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (t > 6) return Math.sign(x);
  if (t < 2.5) {
    let term = t;
    let total = t;
    for (let n = 1; n < 120 && Math.abs(term) > 1e-18 * total; n++) {
      term *= (2 * t * t) / (2 * n + 1);
      total += term;
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-t * t) * total;
  }
  let fraction = 0;
  for (let n = 80; n > 0; n--) fraction = n / 2 / (t + fraction);
  return Math.sign(x) * (1 - Math.exp(-t * t) / (Math.sqrt(Math.PI) * (t + fraction)));
}

/** 1 / (1 + e^−x). */
export const sigmoid = (x: number): number =>
  x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));

/** ⌊a / b⌋; 0 for b = 0, as kernels have it. */
export const floorDiv = (a: number, b: number): number => (b === 0 ? 0 : Math.floor(a / b));
/** a − b ⌊a / b⌋; 0 for b = 0. */
export const floorMod = (a: number, b: number): number => (b === 0 ? 0 : a - b * Math.floor(a / b));

/** Unary operations. `to-int` truncates; `sign` of 0 is 0. */
export const unaryOps: { readonly [K in UnaryOp]: (x: number) => number } = {
  neg: (x) => -x,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  tanh: Math.tanh,
  sigmoid,
  erf,
  sin: Math.sin,
  cos: Math.cos,
  floor: Math.floor,
  ceil: Math.ceil,
  sign: Math.sign,
  "to-real": (x) => x,
  "to-int": Math.trunc,
  not: (x) => (x === 0 ? 1 : 0),
};

/** Binary operations. `min` and `max` give the second operand when either is not a number; x^0 is 1 for every x. */
export const binaryOps: { readonly [K in BinaryOp]: (a: number, b: number) => number } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  "floor-div": floorDiv,
  mod: floorMod,
  pow: (a, b) => (a === 1 ? 1 : Math.pow(a, b)),
  min: (a, b) => (a < b ? a : b),
  max: (a, b) => (a > b ? a : b),
  lt: (a, b) => (a < b ? 1 : 0),
  le: (a, b) => (a <= b ? 1 : 0),
  eq: (a, b) => (a === b ? 1 : 0),
  and: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
};
