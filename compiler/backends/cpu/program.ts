/** Schedule → Program and C sources: one launch a step, identical kernels shared, scratch and states added. */
import type {
  Launch,
  ParameterInfo,
  Phase,
  PhaseName,
  Program,
  Size,
  Tensor,
  TensorRole,
} from "../../../runtime/program.ts";
import { noTensor } from "../../../runtime/program.ts";
import type { KernelSources } from "../../../runtime/device/device.ts";
import type { UpdateRule } from "../../ir/graph.ts";
import { c, joinFragments, type Kernel } from "../../ir/kernel.ts";
import type { MatmulStep, NodeStep, Operand, RowsStep, Step } from "../../ir/schedule.ts";
import type { ProgramParts } from "../program-parts.ts";
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

class ProgramBuilder {
  readonly tensors: Tensor[];
  /** Kernels of products, rows and the update. */
  readonly fused = new KernelTable();
  /** Kernels of nodes that have one of their own. */
  readonly nodes = new KernelTable();

  constructor(tensors: readonly Tensor[]) {
    this.tensors = [...tensors];
  }

  tensor(name: string, role: TensorRole, shape: readonly Size[]): number {
    const id = this.tensors.length;
    this.tensors.push({ id, name, dtype: "f32", shape, role });
    return id;
  }

  scratch(name: string, shape: readonly Size[]): number {
    return this.tensor(`scratch:${name}.${this.tensors.length}`, "scratch", shape);
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
    const trained = parameters.filter((parameter) => parameter.trainable);
    const byName = new Map(this.tensors.map((tensor) => [tensor.name, tensor.id]));
    const find = (name: string): number => {
      const id = byName.get(name);
      if (id === undefined) throw new Error(`the program has no tensor ${name}`);
      return id;
    };
    const counts = trained.map(({ shape }) => shape.reduce((product, extent) => product * extent, 1));
    const items = counts.reduce((sum, count) => sum + Math.ceil(count / updateBlock), 0);
    const norm = this.tensor("gradient-norm", "output", [1]);
    const partial = this.scratch("gradient-norm", [2 * items]);
    const states = trained.map(({ path, shape }) =>
      rule.states.map((state) => this.tensor(`state:${state.name}:${path}`, "state", shape)),
    );
    const gradients = trained.map(({ path }) => find(`gradient:${path}`));
    const weights = trained.map(({ path }) => find(path));
    const { kernel, scalars } = updateKernel(rule);
    return [
      {
        kernel: this.fused.add(() => gradientNormKernel, "gradient_norm").entry,
        label: "gradient-norm: sum of squares",
        buffers: [norm, partial, ...gradients],
        writes: [norm, partial],
        sizes: [counts.length, ...counts],
        scalars: [],
      },
      {
        kernel: this.fused.add(() => kernel, "update").entry,
        label: "parameters: update",
        buffers: [norm, ...weights.flatMap((weight, n) => [weight, gradients[n]!, ...states[n]!])],
        writes: weights.flatMap((weight, n) => [weight, ...states[n]!]),
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

/** The program of a schedule. Phases that the schedule lacks have no launches. */
export function scheduleToProgram(parts: ProgramParts): { program: Program; sources: KernelSources } {
  const builder = new ProgramBuilder(parts.schedule.tensors);
  const phase = (name: PhaseName): Phase => ({
    launches: builder.launches(name, parts.schedule.phases[name] ?? []),
  });
  const phases = { loss: phase("loss"), train: phase("train"), logits: phase("logits") };
  const update: Phase = {
    launches: parts.update === null ? [] : builder.update(parts.update, parts.parameters),
  };
  return {
    program: {
      format: 1,
      name: parts.name,
      parameters: parts.parameters,
      tensors: builder.tensors,
      phases: { ...phases, update },
      maxLength: parts.maxLength,
      readsAhead: parts.readsAhead,
    },
    sources: sourcesOf(builder.fused.kernels, builder.nodes.kernels),
  };
}
