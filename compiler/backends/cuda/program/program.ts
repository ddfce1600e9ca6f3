/** Schedule → Program and CUDA calls: one launch a step, equal calls shared. */
import type { CudaSources } from "../../../../runtime/device/device.ts";
import type { CudaCall } from "../../../../runtime/device/cuda/launch.ts";
import type { Launch, ParameterInfo, PhaseName, Program } from "../../../../runtime/program.ts";
import { noTensor } from "../../../../runtime/program.ts";
import type { Node, UpdateRule } from "../../../ir/graph.ts";
import type { MatmulStep, NodeStep, Operand, RowsStep, Step } from "../../../ir/schedule.ts";
import {
  assembleProgram,
  ProgramTensors,
  type ProgramLaunches,
  type ProgramParts,
  trainedCounts,
} from "../../program-parts.ts";
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

class ProgramBuilder implements ProgramLaunches {
  readonly tensors: ProgramTensors;
  readonly table = new CallTable();

  constructor(tensors: ProgramTensors) {
    this.tensors = tensors;
  }

  launches(_phase: PhaseName, steps: readonly Step[]): readonly Launch[] {
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
    const counts = trainedCounts(parameters);
    const norm = this.tensors.add("gradient-norm", "output", [1]);
    const own = this.tensors.updated(rule, parameters);
    return [
      this.#launch(
        gradientNormCall(counts),
        "gradient_norm",
        "gradient-norm: sum of squares",
        [norm, ...own.map(({ gradient }) => gradient)],
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

/** The program of a schedule and the calls that its launches name. */
export function scheduleToCudaProgram(parts: ProgramParts): { program: Program; sources: CudaSources } {
  const builder = new ProgramBuilder(new ProgramTensors(parts.schedule.tensors));
  const program = assembleProgram(parts, builder);
  return { program, sources: { calls: builder.table.calls } };
}
