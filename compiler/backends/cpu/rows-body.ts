/** The loops over one row of a rows step: passes over the width, with row values computed between them. */
import { type ExprType } from "../../ir/expr.ts";
import { c, identifier, joinFragments, type Fragment } from "../../ir/kernel.ts";
import type { RowsInput, RowsStage, RowsStep } from "../../ir/schedule.ts";
import { RowsArguments } from "../rows-arguments.ts";
import { isSlow, rowsLevels } from "../rows-stages.ts";
import type { Size } from "../../../runtime/program.ts";
import { exprPrinter, type ExprPrinter, type PrintedValue } from "./print-expr.ts";

/** C helpers of rows kernels: lanes of which only the first `left` exist. */
export const rowsHelpers: Fragment = c`
LCTX_INLINE vf lctx_load_left(const float *p, int64_t left) {
  return left >= LCTX_LANES ? lctx_load(p) : lctx_load_part(p, left);
}
LCTX_INLINE vi lctx_load_int_left(const int32_t *p, int64_t left) {
  return left >= LCTX_LANES ? lctx_load_int(p) : lctx_load_int_part(p, left);
}
LCTX_INLINE void lctx_store_left(float *p, vf x, int64_t left) {
  if (left >= LCTX_LANES) lctx_store(p, x); else lctx_store_part(p, x, left);
}
LCTX_INLINE void lctx_store_int_left(int32_t *p, vi x, int64_t left) {
  for (int64_t i = 0; i < left && i < LCTX_LANES; i++) p[i] = x[i];
}
LCTX_INLINE vf lctx_load_across(const float *p, int64_t stride, int64_t left) {
  vf r = lctx_splat_real(0.0f);
  for (int i = 0; i < LCTX_LANES; i++) if (i < left) r[i] = p[i * stride];
  return r;
}
LCTX_INLINE vi lctx_load_int_across(const int32_t *p, int64_t stride, int64_t left) {
  vi r = lctx_splat_int(0);
  for (int i = 0; i < LCTX_LANES; i++) if (i < left) r[i] = p[i * stride];
  return r;
}
LCTX_INLINE vf lctx_keep_left(vf folded, vf before, int64_t left) {
  return left >= LCTX_LANES ? folded
       : lctx_select_real_v(lctx_lanes() < lctx_splat_int((int32_t)left), folded, before);
}
LCTX_INLINE float lctx_fold_max(vf x) {
  float m = x[0];
  for (int i = 1; i < LCTX_LANES; i++) m = lctx_max_s(m, x[i]);
  return m;
}
LCTX_INLINE float lctx_fold_min(vf x) {
  float m = x[0];
  for (int i = 1; i < LCTX_LANES; i++) m = lctx_min_s(m, x[i]);
  return m;
}
/* Key: seed and stream; counter: element (two words) and step. */
LCTX_INLINE float lctx_uniform(float seed, uint32_t stream, float step, int64_t element) {
  return lctx_philox_s((uint32_t)seed, stream, (uint32_t)element, (uint32_t)((uint64_t)element >> 32), (uint32_t)step, 0);
}
LCTX_INLINE vf lctx_uniform_lanes(float seed, uint32_t stream, float step, int64_t element) {
  vf r;
  for (int i = 0; i < LCTX_LANES; i++) r[i] = lctx_uniform(seed, stream, step, element + i);
  return r;
}
`;

const folds = {
  sum: { start: c`0.0f`, fold: (a: Fragment, x: Fragment) => c`${a} + ${x}`, finish: c`lctx_sum` },
  max: {
    start: c`-LCTX_INF`,
    fold: (a: Fragment, x: Fragment) => c`lctx_max_v(${a}, ${x})`,
    finish: c`lctx_fold_max`,
  },
  min: {
    start: c`LCTX_INF`,
    fold: (a: Fragment, x: Fragment) => c`lctx_min_v(${a}, ${x})`,
    finish: c`lctx_fold_min`,
  },
} as const;

/** Loop depths of printed statements. */
const scopes = { call: 0, row: 1, width: 2 } as const;

export class RowsBody extends RowsArguments {
  readonly #step: RowsStep;
  readonly #strides: readonly ReadonlyMap<string, Fragment>[];
  /** The pass of each stage: see `rowsLevels`. */
  readonly #levels: readonly number[];

  constructor(step: RowsStep, strides: readonly ReadonlyMap<string, Fragment>[]) {
    super();
    this.#step = step;
    this.#strides = strides;
    this.#levels = rowsLevels(step);
  }

  /** Statements of one row: `row`, `at_n`, `start`, `end` and the buffers of `c` are known. */
  print(): Fragment {
    const stages = this.#step.stages;
    const parts: Fragment[] = [];
    this.#step.inputs.forEach((input, n) => parts.push(this.#rowPointer(input, n)));
    const rowPrinter = this.#printer("r", "row");
    const rowValue = (n: number): void => {
      const stage = stages[n]!;
      const value = rowPrinter.print(stage.body);
      const known = identifier("value", n);
      parts.push(rowPrinter.take(scopes.call), rowPrinter.take(scopes.row));
      const type = this.#typed(stage, value) === "real" ? c`float` : c`int32_t`;
      parts.push(c`const ${type} ${known} = ${value.text};\n`, this.#storeRow(n, known));
    };
    const last = Math.max(0, ...this.#levels);
    for (let pass = 0; pass <= last; pass++) {
      stages.forEach((stage, n) => {
        if (stage.kind === "row-map" && this.#levels[n] === pass) rowValue(n);
      });
      this.#pass(pass, parts);
    }
    return joinFragments(parts, c``);
  }

  /** The old value that a stored one is added to: `old` where the stage's scalar is not 0. */
  accumulated(stage: number, old: Fragment, prefix: Fragment): Fragment {
    const name = this.#step.stages[stage]!.accumulate;
    return name === null ? c`0.0f` : c`(${prefix}${this.scalar(name)} != 0.0f ? ${old} : 0.0f)`;
  }

  #pass(pass: number, parts: Fragment[]): void {
    const stages = this.#step.stages;
    const roots = stages.flatMap((stage, n) =>
      this.#levels[n] === pass && stage.kind !== "row-map" && (stage.kind !== "map" || stage.store !== null)
        ? [n]
        : [],
    );
    if (roots.length === 0) return;
    const printer = this.#printer(`p${pass}`, pass);
    const body: Fragment[] = [];
    const uses = (n: number, value: Fragment): void => {
      const stage = stages[n]!;
      const out = identifier("out", n);
      if (stage.kind === "map") {
        body.push(c`{ vf kept = ${value};\n`);
        if (stage.accumulate !== null)
          body.push(
            c`if (${this.scalar(stage.accumulate)} != 0.0f) kept += lctx_load_left(c->${out} + row * width + j, left);\n`,
          );
        body.push(c`lctx_store_left(c->${out} + row * width + j, kept, left); }\n`);
        return;
      }
      if (stage.kind === "column-sum") {
        const part = identifier("part", n);
        body.push(c`lctx_store_left(${part} + j, lctx_load_left(${part} + j, left) + ${value}, left);\n`);
        return;
      }
      const acc = identifier("acc", n);
      body.push(c`${acc} = lctx_keep_left(${folds[stage.op!].fold(acc, value)}, ${acc}, left);\n`);
    };
    for (const n of roots) {
      const value = printer.print(stages[n]!.body);
      const whole = this.#typed(stages[n]!, value) === "int";
      const text = printer.spread(value);
      body.push(printer.take(scopes.width));
      if (whole)
        body.push(c`lctx_store_int_left(c->${identifier("out", n)} + row * width + j, ${text}, left);\n`);
      else uses(n, text);
    }
    const reduces = roots.filter((n) => stages[n]!.kind === "reduce");
    parts.push(printer.take(scopes.call), printer.take(scopes.row));
    for (const n of reduces)
      parts.push(c`vf ${identifier("acc", n)} = lctx_splat_real(${folds[stages[n]!.op!].start});\n`);
    const inner = joinFragments(body, c``);
    parts.push(c`{
int64_t j = start;
for (; j + LCTX_LANES <= end; j += LCTX_LANES) {
enum { left = LCTX_LANES };
${inner}}
if (j < end) {
const int64_t left = end - j;
${inner}}
}
`);
    for (const n of reduces) {
      const known = identifier("value", n);
      parts.push(c`const float ${known} = ${folds[stages[n]!.op!].finish}(${identifier("acc", n)});\n`);
      parts.push(this.#storeRow(n, known));
    }
  }

  /** The type of a stage's value. Throws when the body gives another than the stage stores. */
  #typed(stage: RowsStage, value: PrintedValue): "real" | "int" {
    const type = stage.dtype === "f32" ? "real" : "int";
    if (value.type !== type) throw new Error(`${this.#step.site}: a ${value.type} where a ${type} is stored`);
    if (type === "int" && stage.accumulate !== null)
      throw new Error(`${this.#step.site}: whole numbers are not added up`);
    return type;
  }

  #storeRow(n: number, value: Fragment): Fragment {
    if (this.#step.stages[n]!.store === null) return c`(void)${value};\n`;
    const target = c`c->${identifier("out", n)}[row]`;
    if (this.#step.stages[n]!.dtype === "i32") return c`${target} = ${value};\n`;
    return c`${target} = ${this.accumulated(n, target, c``)} + ${value};\n`;
  }

  #hasWidth(input: RowsInput): boolean {
    return input.axes.some((axis) => axis.name === this.#step.width.name);
  }

  /** Where an input's part for this row starts; its value when it does not vary along the width. */
  #rowPointer(input: RowsInput, n: number): Fragment {
    const terms = input.axes.flatMap((axis) => {
      const at = this.#step.rowAxes.findIndex((row) => row.name === axis.name);
      return at < 0 ? [] : [c`${identifier("at", at)} * (${this.#strides[n]!.get(axis.name)!})`];
    });
    const offset = terms.length === 0 ? c`0` : joinFragments(terms, c` + `);
    const type = input.dtype === "f32" ? c`float` : c`int32_t`;
    const field = c`c->${identifier("in", n)}`;
    return this.#hasWidth(input)
      ? c`const ${type} *const in_${n} = ${field} + ${offset};\n(void)in_${n};\n`
      : c`const ${type} row_${n} = ${field}[${offset}];\n(void)row_${n};\n`;
  }

  #printer(word: string, pass: number | "row"): ExprPrinter {
    const { inputs, stages, rowAxes, width } = this.#step;
    const single = (text: Fragment, type: ExprType, scope: number): PrintedValue => ({
      text,
      type,
      form: "single",
      scope,
    });
    const lanes = (text: Fragment, type: ExprType): PrintedValue =>
      printer.name({ text, type, form: "lanes", scope: scopes.width });
    const readInput = (n: number): PrintedValue => {
      const input = inputs[n]!;
      const type = input.dtype === "f32" ? "real" : "int";
      if (!this.#hasWidth(input)) return single(c`row_${n}`, type, scopes.row);
      const stride = this.#strides[n]!.get(width.name)!;
      const suffix = type === "real" ? c`` : c`_int`;
      return stride.text === "1"
        ? lanes(c`lctx_load${suffix}_left(in_${n} + j, left)`, type)
        : lanes(c`lctx_load${suffix}_across(in_${n} + j * (${stride}), ${stride}, left)`, type);
    };
    const readStage = (n: number): PrintedValue => {
      const stage: RowsStage = stages[n]!;
      if (stage.kind === "reduce" || stage.kind === "row-map")
        return single(identifier("value", n), stage.dtype === "f32" ? "real" : "int", scopes.row);
      if (stage.kind === "column-sum") throw new Error("a column sum is read inside its own step");
      const stored = stage.store !== null && stage.accumulate === null && stage.dtype === "f32";
      if (pass !== "row" && this.#levels[n]! < pass && stored && isSlow(stage.body))
        return lanes(c`lctx_load_left(c->${identifier("out", n)} + row * width + j, left)`, "real");
      return printer.print(stage.body);
    };
    const printer: ExprPrinter = exprPrinter(
      {
        index: (name) => {
          const at = rowAxes.findIndex((axis) => axis.name === name);
          if (at >= 0) return single(c`(int32_t)${identifier("at", at)}`, "int", scopes.row);
          if (name !== width.name || pass === "row") throw new Error(`index ${name} is no axis here`);
          return lanes(c`lctx_splat_int((int32_t)j) + lctx_lanes()`, "int");
        },
        size: (name) => {
          if (name === "step") return single(c`(int32_t)${this.scalar("step")}`, "int", scopes.call);
          const size = name === "query-length" ? "length" : (name as Size);
          return single(c`(int32_t)${this.size(size)}`, "int", scopes.call);
        },
        scalar: (name) => single(this.scalar(name), "real", scopes.call),
        logit: () => {
          throw new Error("a logit outside attention");
        },
        operand: (n, type) => {
          const value = n < inputs.length ? readInput(n) : readStage(n - inputs.length);
          if (value.type === type || value.type !== "int" || type !== "real") return value;
          const to = value.form === "lanes" ? c`lctx_to_real_v` : c`lctx_to_real_s`;
          return printer.name({ ...value, text: c`${to}(${value.text})`, type: "real" });
        },
        load: () => {
          throw new Error("a load outside attention");
        },
        uniform: (stream) => {
          const [seed, step] = [this.scalar("seed"), this.scalar("step")];
          return pass === "row"
            ? single(c`lctx_uniform(${seed}, ${stream}, ${step}, row)`, "real", scopes.row)
            : lanes(c`lctx_uniform_lanes(${seed}, ${stream}, ${step}, row * width + j)`, "real");
        },
      },
      word,
    );
    return printer;
  }
}
