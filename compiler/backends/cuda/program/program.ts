/** Schedule → Program and CUDA calls: one launch a step, equal calls shared. */
import type { CudaSources } from "../../../../runtime/device/device.ts";
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type {
  Launch,
  ParameterInfo,
  Phase,
  PhaseName,
  Program,
  Size,
  Tensor,
  TensorRole,
} from "../../../../runtime/program.ts";
import { noTensor } from "../../../../runtime/program.ts";
import type { Node, UpdateRule } from "../../../ir/graph.ts";
import type { MatmulStep, NodeStep, Operand, RowsStep, Step } from "../../../ir/schedule.ts";
import type { ProgramParts } from "../../program-parts.ts";
import { CpuOnly } from "../attention/shape.ts";
import { matmulCall } from "./matmul.ts";
import { NoCudaCall } from "./no-cuda-call.ts";
import { nodeCall, type Wanted } from "./node-calls.ts";
import { rowsCall } from "./rows.ts";
import { gradientNormCall, updateCall } from "./update.ts";

/** Labels of launches without the site that their launch in the program names, so that layers share calls. */
function withoutSite(call: CudaCall, site: string): CudaCall {
  const launches = call.launches.map((launch) => ({
    ...launch,
    label: launch.label.startsWith(`${site}: `) ? launch.label.slice(site.length + 2) : launch.label,
  }));
  return { ...call, launches };
}

/** Throws NoCudaCall for a node that only the CPU computes. */
function callOf(node: Node, wanted: Wanted): CudaCall {
  try {
    return nodeCall(node, wanted);
  } catch (error) {
    if (!(error instanceof CpuOnly)) throw error;
    throw new NoCudaCall(node, error.message.replace(`${node.site}: `, ""));
  }
}

/** Calls by name; equal ones are one. */
class CallTable {
  readonly calls: Record<string, CudaCall> = {};
  readonly #names = new Map<string, string>();

  /** The name of a call; `word` begins it. */
  add(call: CudaCall, word: string): string {
    const key = JSON.stringify(call);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = `${word.replaceAll("-", "_")}_${this.#names.size}`;
    this.#names.set(key, name);
    this.calls[name] = call;
    return name;
  }
}

const ids = (operands: readonly Operand[]): number[] => operands.map((operand) => operand.tensor);

class ProgramBuilder {
  readonly tensors: Tensor[];
  readonly table = new CallTable();

  constructor(tensors: readonly Tensor[]) {
    this.tensors = [...tensors];
  }

  tensor(name: string, role: TensorRole, shape: readonly Size[]): number {
    const id = this.tensors.length;
    this.tensors.push({ id, name, dtype: "f32", shape, role });
    return id;
  }

  launches(steps: readonly Step[]): readonly Launch[] {
    return steps.map((step) => {
      switch (step.kind) {
        case "matmul":
          return this.#matmul(step);
        case "rows":
          return this.#rows(step);
        case "node":
          return this.#node(step);
        default:
          return step satisfies never;
      }
    });
  }

  #launch(
    call: CudaCall,
    word: string,
    label: string,
    buffers: readonly number[],
    writes: readonly number[],
  ): Launch {
    if (buffers.length !== call.buffers)
      throw new Error(`${label}: the call has ${call.buffers} buffers, not ${buffers.length}`);
    return { kernel: this.table.add(call, word), label, buffers, writes, sizes: [], scalars: [] };
  }

  #matmul(step: MatmulStep): Launch {
    const out = step.out.tensor;
    const buffers = [step.a.tensor, step.b.tensor, out];
    return this.#launch(matmulCall(step), "matmul", `${step.site}: matmul`, buffers, [out]);
  }

  #rows(step: RowsStep): Launch {
    const { call, buffers, results } = rowsCall(step);
    const kinds = new Set(step.stages.map((stage) => stage.kind));
    const words = (["map", "row-map", "reduce", "column-sum"] as const).filter((kind) => kinds.has(kind));
    const label = `${step.site}: ${words.join(" ")}`;
    return this.#launch(call, "rows", label, [...ids(buffers), ...ids(results)], ids(results));
  }

  #node(step: NodeStep): Launch {
    const { kind } = step.node;
    const wanted = step.results.map((result) => result !== null);
    const call = withoutSite(callOf(step.node, wanted), step.node.site);
    const results = step.results.map((result) => result?.tensor ?? noTensor);
    const writes = results.filter((id) => id !== noTensor);
    return this.#launch(call, kind, `${step.site}: ${kind}`, [...ids(step.operands), ...results], writes);
  }

  /** Norm of all gradients, then clip and update. */
  update(rule: UpdateRule, parameters: readonly ParameterInfo[]): readonly Launch[] {
    const trained = parameters.filter((parameter) => parameter.trainable);
    const byName = new Map(this.tensors.map((tensor) => [tensor.name, tensor.id]));
    const find = (name: string): number => {
      const id = byName.get(name);
      if (id === undefined) throw new Error(`the program has no tensor ${name}`);
      return id;
    };
    const counts = trained.map(({ shape }) => shape.reduce((product, extent) => product * extent, 1));
    const norm = this.tensor("gradient-norm", "output", [1]);
    const gradients = trained.map(({ path }) => find(`gradient:${path}`));
    const own = trained.map(({ path, shape }, n) => {
      const states = rule.states.map(({ name }) => this.tensor(`state:${name}:${path}`, "state", shape));
      return { weight: find(path), gradient: gradients[n]!, states };
    });
    return [
      this.#launch(
        gradientNormCall(counts),
        "gradient_norm",
        "gradient-norm: sum of squares",
        [norm, ...gradients],
        [norm],
      ),
      this.#launch(
        updateCall(rule, counts),
        "update",
        "parameters: update",
        [norm, ...own.flatMap(({ weight, gradient, states }) => [weight, gradient, ...states])],
        own.flatMap(({ weight, states }) => [weight, ...states]),
      ),
    ];
  }
}

/** The program of a schedule and the calls that its launches name. Phases that the schedule lacks have no launches. */
export function scheduleToCudaProgram(parts: ProgramParts): { program: Program; sources: CudaSources } {
  const builder = new ProgramBuilder(parts.schedule.tensors);
  const phase = (name: PhaseName): Phase => ({
    launches: builder.launches(parts.schedule.phases[name] ?? []),
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
    sources: { calls: builder.table.calls },
  };
}
