/** Schedule → Program and C sources: one launch a step, identical kernels shared, scratch and states added. */
import type { Launch, ParameterInfo, Program, Size } from "../../../runtime/program.ts";
import { noTensor } from "../../../runtime/program.ts";
import type { KernelSources } from "../../../runtime/device/device.ts";
import type { UpdateRule } from "../../ir/graph.ts";
import { c, joinFragments, type Kernel } from "../../ir/kernel.ts";
import type { MatmulStep, NodeStep, Operand, RowsStep, Step } from "../../ir/schedule.ts";
import {
  assembleProgram,
  ProgramTensors,
  type ProgramLaunches,
  type ProgramParts,
  trainedCounts,
} from "../program-parts.ts";
import { matmulKernel, matmulSizes } from "./matmul.ts";
import { nodeKernel } from "./node-kernels.ts";
import { preludeText } from "./prelude.ts";
import { rowsHelpers } from "./rows-body.ts";
import { rowsKernel } from "./rows.ts";
import { supportSources } from "./support/sources.ts";
import { gradientNormKernel, updateBlock, updateHelpers, updateKernel } from "./update.ts";

/** Kernels of a program by structural key; equal ones get one entry. */
class KernelTable {
  readonly #byKey = new Map<string, Kernel>();
  readonly #words = new Map<string, number>();

  /** The known kernel of the same key, or a new one that `make` numbers. */
  add(make: (number: number) => Kernel, word: string): Kernel {
    const number = this.#words.get(word) ?? 0;
    const made = make(number);
    const known = this.#byKey.get(made.key);
    if (known !== undefined) return known;
    this.#byKey.set(made.key, made);
    this.#words.set(word, number + 1);
    return made;
  }

  get kernels(): readonly Kernel[] {
    return [...this.#byKey.values()];
  }
}

class ProgramBuilder implements ProgramLaunches {
  readonly tensors: ProgramTensors;
  /** Kernels of products, rows and the update. */
  readonly fused = new KernelTable();
  /** Kernels of nodes that have one of their own. */
  readonly nodes = new KernelTable();

  constructor(tensors: ProgramTensors) {
    this.tensors = tensors;
  }

  scratch(name: string, shape: readonly Size[]): number {
    return this.tensors.add(`scratch:${name}.${this.tensors.all.length}`, "scratch", shape);
  }

  launches(phase: string, steps: readonly Step[]): readonly Launch[] {
    return steps.map((step) => {
      switch (step.kind) {
        case "matmul":
          return this.#matmul(step);
        case "rows":
          return this.#rows(phase, step);
        case "node":
          return this.#node(phase, step);
        default:
          return step satisfies never;
      }
    });
  }

  #matmul(step: MatmulStep): Launch {
    return {
      kernel: this.fused.add(() => matmulKernel, "matmul").entry,
      label: `${step.site}: matmul`,
      buffers: [step.a.tensor, step.b.tensor, step.out.tensor],
      writes: [step.out.tensor],
      sizes: matmulSizes(step),
      scalars: [step.accumulate ?? 0],
    };
  }

  #rows(phase: string, step: RowsStep): Launch {
    let made = rowsKernel(step, 0);
    const kernel = this.fused.add((number) => {
      made = rowsKernel(step, number);
      return made.kernel;
    }, "rows");
    const ids = (operands: readonly Operand[]): number[] => operands.map((operand) => operand.tensor);
    const scratch = made.scratch.map((shape) => this.scratch(`${phase}:${step.site}`, shape));
    const results = ids(made.results);
    const kinds = new Set(step.stages.map((stage) => stage.kind));
    return {
      kernel: kernel.entry,
      label: `${step.site}: ${["map", "row-map", "reduce", "column-sum"].filter((kind) => kinds.has(kind as never)).join(" ")}`,
      buffers: [...ids(made.buffers), ...results, ...scratch],
      writes: [...results, ...scratch],
      sizes: made.sizes,
      scalars: made.scalars,
    };
  }

  #node(phase: string, step: NodeStep): Launch {
    const made = nodeKernel(step.node, {});
    const kernel = this.nodes.add(() => made.kernel, made.kernel.entry);
    const results = step.results.map((result) => result?.tensor ?? noTensor);
    const scratch =
      made.scratch === null ? [] : [this.scratch(`${phase}:${step.site}`, [made.scratch.elements])];
    return {
      kernel: kernel.entry,
      label: `${step.site}: ${step.node.kind}`,
      buffers: [...step.operands.map((operand) => operand.tensor), ...results, ...scratch],
      writes: [...results.filter((id) => id !== noTensor), ...scratch],
      sizes: made.sizes,
      scalars: made.scalars,
    };
  }

  /** Norm of all gradients, then one sweep over all weights and states. */
  update(rule: UpdateRule, parameters: readonly ParameterInfo[]): readonly Launch[] {
    const counts = trainedCounts(parameters);
    const items = counts.reduce((sum, count) => sum + Math.ceil(count / updateBlock), 0);
    const norm = this.tensors.add("gradient-norm", "output", [1]);
    const partial = this.scratch("gradient-norm", [2 * items]);
    const own = this.tensors.updated(rule, parameters);
    const { kernel, scalars } = updateKernel(rule);
    return [
      {
        kernel: this.fused.add(() => gradientNormKernel, "gradient_norm").entry,
        label: "gradient-norm: sum of squares",
        buffers: [norm, partial, ...own.map(({ gradient }) => gradient)],
        writes: [norm, partial],
        sizes: [counts.length, ...counts],
        scalars: [],
      },
      {
        kernel: this.fused.add(() => kernel, "update").entry,
        label: "parameters: update",
        buffers: [norm, ...own.flatMap(({ weight, gradient, states }) => [weight, gradient, ...states])],
        writes: own.flatMap(({ weight, states }) => [weight, ...states]),
        sizes: [counts.length, ...counts],
        scalars: ["clip", ...scalars],
      },
    ];
  }
}

/**
 * C files of the kernels and of the support library that they call. Kernels of nodes are in files of their own: they
 * compile side by side, and specs that share them share their objects.
 */
function sourcesOf(fused: readonly Kernel[], nodes: readonly Kernel[]): KernelSources {
  const opening = c`#include "lctx.h"\n#include <string.h>\n`;
  const files: Record<string, string> = { ...supportSources };
  const helpers = [opening, preludeText, rowsHelpers, updateHelpers];
  files["fused.c"] = joinFragments([...helpers, ...fused.map((kernel) => kernel.text)], c`\n`).text;
  for (const kernel of nodes)
    files[`${kernel.entry}.c`] = joinFragments([opening, preludeText, kernel.text], c`\n`).text;
  return { files, entries: [...fused, ...nodes].map((kernel) => kernel.entry) };
}

/** The program of a schedule and the C sources of its kernels. */
export function scheduleToProgram(parts: ProgramParts): { program: Program; sources: KernelSources } {
  const builder = new ProgramBuilder(new ProgramTensors(parts.schedule.tensors));
  const program = assembleProgram(parts, builder);
  return { program, sources: sourcesOf(builder.fused.kernels, builder.nodes.kernels) };
}
