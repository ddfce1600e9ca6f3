/** The statements of a rows step in device code: one element of a pass over the width, and values of a whole row. */

import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import type { RowsInput, RowsStep } from "../../../ir/schedule.ts";
import { RowsArguments } from "../../rows-arguments.ts";
import { isSlow, rowsLevels } from "../../rows-stages.ts";
import type { Size } from "../../../../runtime/program.ts";
import { cudaPrinter, type CudaPrinter } from "../print-expr.ts";

/** What one pass over the width computes. */
export interface RowsPass {
  /** Row maps that are known before the pass: their statements and names. */
  readonly before: Fragment;
  /** Statements of one element, and the value of each root stage. */
  readonly element: Fragment;
  readonly values: readonly { readonly stage: number; readonly value: Fragment }[];
}

const nowhere = (what: string) => (): never => {
  throw new Error(`a rows step reads ${what}`);
};

export class RowsBody extends RowsArguments {
  readonly step: RowsStep;
  /** True when random numbers are drawn. */
  usesUniform = false;
  readonly #sizeNames: ReadonlyMap<string, Fragment>;
  /** Elements read by quadruples: inputs along the width are in `quad_n`, at `e`. */
  readonly #quads: boolean;
  /** The pass of each stage: see `rowsLevels`. */
  readonly #levels: readonly number[];

  /** `sizeNames`: the extent of each axis, by name. */
  constructor(step: RowsStep, sizeNames: ReadonlyMap<string, Fragment>, quads: boolean) {
    super();
    this.step = step;
    this.#sizeNames = sizeNames;
    this.#quads = quads;
    this.#levels = rowsLevels(step);
  }

  /** All passes in order; `value_n` names what a reduction or a row map gave. */
  passes(): readonly RowsPass[] {
    const { stages } = this.step;
    const rowPrinter = this.#printer("r", "row");
    const last = Math.max(0, ...this.#levels);
    return Array.from({ length: last + 1 }, (_, pass) => {
      const before = stages.flatMap((stage, n) => {
        if (stage.kind !== "row-map" || this.#levels[n] !== pass) return [];
        const value = rowPrinter.print(stage.body);
        const type = stage.dtype === "f32" ? c`float` : c`int`;
        return [
          rowPrinter.take(),
          c`const ${type} ${identifier("value", n)} = ${value};\n(void)${identifier("value", n)};\n`,
          stage.store === null
            ? c``
            : c`if (live && lane == 0) ${this.stored(n, c`row`, identifier("value", n))}`,
        ];
      });
      const printer = this.#printer(`p${pass}`, pass);
      const roots = stages.flatMap((stage, n) => {
        const root = stage.kind !== "row-map" && (stage.kind !== "map" || stage.store !== null);
        return root && this.#levels[n] === pass ? [n] : [];
      });
      const values = roots.map((stage) => ({ stage, value: printer.print(stages[stage]!.body) }));
      return { before: joinFragments(before, c``), element: printer.take(), values };
    });
  }

  /** Stores a value, added to the old one where the stage's scalar is not 0. */
  stored(n: number, at: Fragment, value: Fragment): Fragment {
    const { accumulate, dtype } = this.step.stages[n]!;
    const target = c`${identifier("out", n)}[${at}]`;
    if (accumulate === null) return c`${target} = ${value};\n`;
    if (dtype === "i32") throw new Error(`${this.step.site}: whole numbers are not added up`);
    return c`${target} = ${value} + (${this.scalar(accumulate)} != 0.0f ? ${target} : 0.0f);\n`;
  }

  /** True when an input varies along the width. */
  hasWidth(input: RowsInput): boolean {
    return input.axes.some((axis) => axis.name === this.step.width.name);
  }

  /** True when an input lies as the rows do: element i of the step is element i of the input. */
  isFlat(input: RowsInput): boolean {
    const all = [...this.step.rowAxes, this.step.width];
    return input.axes.length === all.length && input.axes.every((axis, n) => axis.name === all[n]!.name);
  }

  /** Where an input's element is, in terms of `at_n` and, along the width, of `j`. */
  offset(input: RowsInput, withWidth: boolean): Fragment {
    let stride: Fragment | null = null;
    const terms: Fragment[] = [];
    for (const axis of [...input.axes].reverse()) {
      const n = this.step.rowAxes.findIndex((row) => row.name === axis.name);
      const at = n >= 0 ? c`(long long)${identifier("at", n)}` : withWidth ? c`(long long)j` : null;
      if (at !== null) terms.push(stride === null ? at : c`${at} * (${stride})`);
      const size = this.#sizeNames.get(axis.name)!;
      stride = stride === null ? size : c`${stride} * ${size}`;
    }
    return terms.length === 0 ? c`0` : joinFragments(terms, c` + `);
  }

  /** Values of inputs that are the same along the whole row. */
  rowInputs(): Fragment {
    const parts = this.step.inputs.flatMap((input, n) => {
      if (this.hasWidth(input)) return [];
      const type = input.dtype === "f32" ? c`float` : c`int`;
      const name = identifier("row", n);
      return [
        c`const ${type} ${name} = ${identifier("in", n)}[${this.offset(input, false)}];\n(void)${name};\n`,
      ];
    });
    return joinFragments(parts, c``);
  }

  #readInput(n: number): Fragment {
    const input = this.step.inputs[n]!;
    if (!this.hasWidth(input)) return identifier("row", n);
    if (this.#quads) return c`${identifier("quad", n)}.x[e]`;
    return c`${identifier("in", n)}[${this.isFlat(input) ? c`i` : this.offset(input, true)}]`;
  }

  #printer(word: string, pass: number | "row"): CudaPrinter {
    const { inputs, stages, rowAxes, width } = this.step;
    const readStage = (n: number): Fragment => {
      const stage = stages[n]!;
      if (stage.kind === "reduce" || stage.kind === "row-map") return identifier("value", n);
      if (stage.kind === "column-sum") throw new Error("a column sum is read inside its own step");
      const kept = stage.store !== null && stage.accumulate === null && stage.dtype === "f32";
      if (pass !== "row" && this.#levels[n]! < pass && kept && isSlow(stage.body))
        return c`${identifier("out", n)}[i]`;
      return printer.print(stage.body);
    };
    const printer: CudaPrinter = cudaPrinter(
      {
        index: (name) => {
          const at = rowAxes.findIndex((axis) => axis.name === name);
          if (at >= 0) return c`((int)${identifier("at", at)})`;
          if (name !== width.name || pass === "row") throw new Error(`index ${name} is no axis here`);
          return c`((int)j)`;
        },
        size: (name) => {
          if (name === "step") return c`((int)${this.scalar("step")})`;
          return this.size(name === "query-length" ? "length" : (name as Size));
        },
        scalar: (name) => this.scalar(name),
        logit: nowhere("a logit"),
        load: nowhere("a buffer"),
        set: nowhere("a set"),
        operand: (n) => (n < inputs.length ? this.#readInput(n) : readStage(n - inputs.length)),
        uniform: (stream) => {
          this.usesUniform = true;
          const element = pass === "row" ? c`row` : c`i`;
          return c`lctx_uniform(${this.scalar("seed")}, ${stream}u, ${this.scalar("step")}, ${element})`;
        },
      },
      word,
    );
    return printer;
  }
}
