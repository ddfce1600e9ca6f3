/** Accuracy of the prelude's functions, scalar and vector, against float64; and exact whole-number operations. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { describe, expect, it } from "vitest";
import { preludeText } from "../../compiler/backends/cpu/prelude.ts";
import { binaryOps, unaryOps } from "../../compiler/ir/expr-ops.ts";
import { uniformNumber } from "../../compiler/ir/philox.ts";
import { randomNumbers } from "../support/random-values.ts";

const functions = ["exp", "log", "sigmoid", "tanh", "erf", "sin", "cos", "sqrt"] as const;

/** Where arguments are taken, and the largest error in units in the last place (absolute, of 1, for sine and cosine). */
const laws: Readonly<
  Record<(typeof functions)[number], { from: number; to: number; ulp: number; absolute?: true }>
> = {
  exp: { from: -87, to: 88, ulp: 2 },
  log: { from: 1e-6, to: 1e6, ulp: 2 },
  sigmoid: { from: -80, to: 80, ulp: 4 },
  tanh: { from: -10, to: 10, ulp: 4 },
  erf: { from: -4.5, to: 4.5, ulp: 4 },
  sin: { from: -1e6, to: 1e6, ulp: 2, absolute: true },
  cos: { from: -1e6, to: 1e6, ulp: 2, absolute: true },
  sqrt: { from: 0, to: 1e9, ulp: 1 },
};

const source = `#include <stdint.h>
${preludeText.text}
${functions
  .map(
    (name) => `
void ${name}_of(const float *x, float *single, float *lanes, double *wide, int64_t n) {
  for (int64_t i = 0; i < n; i++) single[i] = lctx_${name}_s(x[i]), wide[i] = lctx_${name}_d((double)x[i]);
  for (int64_t i = 0; i + LCTX_LANES <= n; i += LCTX_LANES) lctx_store(lanes + i, lctx_${name}_v(lctx_load(x + i)));
}`,
  )
  .join("")}
void whole_of(const int32_t *a, const int32_t *b, int32_t *out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = lctx_floor_div_s(a[i], b[i]), out[2 * n + i] = lctx_mod_s(a[i], b[i]);
  for (int64_t i = 0; i + LCTX_LANES <= n; i += LCTX_LANES) {
    *(vi_any *)(out + n + i) = lctx_floor_div_v(lctx_load_int(a + i), lctx_load_int(b + i));
    *(vi_any *)(out + 3 * n + i) = lctx_mod_v(lctx_load_int(a + i), lctx_load_int(b + i));
  }
}
float random_of(uint32_t seed, uint32_t stream, uint32_t step, uint32_t low, uint32_t high) {
  return lctx_philox_s(seed, stream, low, high, step, 0);
}
double power_of(double x, double y) { return lctx_pow_d(x, y); }
`;

/** Compiled for one instruction set. */
function open(flag: string) {
  const folder = mkdtempSync(join(tmpdir(), "lctx-prelude-"));
  try {
    writeFileSync(join(folder, "p.c"), source);
    const flags = [
      "-O2",
      flag,
      "-std=gnu11",
      "-ffp-contract=fast",
      "-fno-math-errno",
      "-fno-trapping-math",
      "-w",
    ];
    const output = join(folder, "p.so");
    execFileSync(process.env["CC"] ?? "cc", [
      ...flags,
      "-shared",
      "-fPIC",
      "-o",
      output,
      join(folder, "p.c"),
    ]);
    return koffi.load(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Distance between neighbouring floats at x. */
const unitAt = (x: number): number => 2 ** (Math.floor(Math.log2(Math.max(Math.abs(x), 2 ** -126))) - 23);

describe.each(process.arch === "x64" ? ["-march=native", "-mno-avx"] : ["-O3"])("prelude with %s", (flag) => {
  const library = open(flag);
  const count = 1 << 17;

  it.each(functions)("%s keeps its accuracy", (name) => {
    const { from, to, ulp, absolute } = laws[name];
    const next = randomNumbers(5);
    const x = Float32Array.from({ length: count }, (_, i) => {
      const u = from + (to - from) * next();
      return i % 2 === 0 ? u : Math.min(Math.max((next() - 0.5) * 6, from), to);
    });
    const [single, lanes, wide] = [new Float32Array(count), new Float32Array(count), new Float64Array(count)];
    library.func(`void ${name}_of(void*, void*, void*, void*, int64_t)`)(x, single, lanes, wide, count);
    let [worst, worstWide] = [0, 0];
    for (let i = 0; i < count; i++) {
      const want = unaryOps[name](x[i]!);
      const unit = absolute ? 2 ** -23 : unitAt(want);
      worst = Math.max(worst, Math.abs(single[i]! - want) / unit, Math.abs(lanes[i]! - want) / unit);
      worstWide = Math.max(worstWide, Math.abs(wide[i]! - want) / (absolute ? 1 : Math.abs(want) || 1));
    }
    expect(worst).toBeLessThanOrEqual(ulp);
    expect(worstWide).toBeLessThanOrEqual(1e-14);
  });

  it("keeps special values", () => {
    const x = new Float32Array(32);
    const special = [0, -0, Infinity, -Infinity, NaN, -1, 1e-40, 89, -104, 1];
    x.set(special);
    for (const name of ["exp", "log", "sigmoid", "tanh", "erf"] as const) {
      const [single, lanes, wide] = [new Float32Array(32), new Float32Array(32), new Float64Array(32)];
      library.func(`void ${name}_of(void*, void*, void*, void*, int64_t)`)(x, single, lanes, wide, 32);
      special.forEach((value, i) => {
        const want = unaryOps[name](Math.fround(value));
        for (const given of [single[i]!, lanes[i]!]) {
          if (Number.isNaN(want)) expect(given, `${name}(${value})`).toBeNaN();
          else if (!Number.isFinite(Math.fround(want)))
            expect(given, `${name}(${value})`).toBe(Math.fround(want));
          else expect(Math.abs(given - want), `${name}(${value})`).toBeLessThanOrEqual(4 * unitAt(want));
        }
      });
    }
  });

  it("divides whole numbers with floor, for every sign", () => {
    const next = randomNumbers(9);
    const whole = (): number => Math.trunc((next() - 0.5) * 2 ** Math.floor(1 + next() * 32)) | 0;
    const a = Int32Array.from({ length: count }, whole);
    const b = Int32Array.from({ length: count }, whole);
    const out = new Int32Array(4 * count);
    library.func("void whole_of(void*, void*, void*, int64_t)")(a, b, out, count);
    for (let i = 0; i < count; i++) {
      const [div, mod] = [binaryOps["floor-div"](a[i]!, b[i]!) | 0, binaryOps.mod(a[i]!, b[i]!) | 0];
      if (
        out[i] !== div ||
        out[count + i] !== div ||
        out[2 * count + i] !== mod ||
        out[3 * count + i] !== mod
      )
        expect([a[i], b[i], out[i], out[count + i], out[2 * count + i], out[3 * count + i]]).toEqual([
          a[i],
          b[i],
          div,
          div,
          mod,
          mod,
        ]);
    }
  });

  it("draws the interpreter's random numbers", () => {
    const draw = library.func("float random_of(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t)");
    for (let n = 0; n < 200; n++) {
      const element = n * 1_234_567_891;
      const given = draw(n, 3 * n, 7 * n, element >>> 0, Math.floor(element / 2 ** 32)) as number;
      expect(given).toBe(uniformNumber(n, 3 * n, 7 * n, element));
    }
  });

  it("raises to powers as Math.pow does", () => {
    const power = library.func("double power_of(double, double)");
    const special = [0, -0, 1, -1, 2, -2, 0.5, 3, -3, 1e10];
    for (const x of special)
      for (const y of [0, 1, -1, 2, 3, -3, 0.5, 20, 21]) {
        const [given, want] = [power(x, y) as number, Math.pow(x, y)];
        if (Number.isNaN(want)) expect(given).toBeNaN();
        else if (!Number.isFinite(want) || want === 0) expect(given).toBe(want);
        else expect(Math.abs(given - want) / Math.abs(want)).toBeLessThanOrEqual(1e-13);
      }
  });
});
