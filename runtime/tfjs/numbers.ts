/** Scalar functions of the host that spec expressions use and JavaScript lacks. */

/** ⌊a / b⌋; 0 for b = 0. */
export const floorDiv = (a: number, b: number): number => (b === 0 ? 0 : Math.floor(a / b));
/** a − b ⌊a / b⌋; 0 for b = 0. */
export const floorMod = (a: number, b: number): number => (b === 0 ? 0 : a - b * Math.floor(a / b));

/** The error function to about 1e-15: a series near 0, a continued fraction farther out (Abramowitz and Stegun 7.1.14). */
export function erf(x: number): number {
  const t = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (t > 6) return Math.sign(x);
  if (t < 2.5) {
    let [term, total] = [t, t];
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
