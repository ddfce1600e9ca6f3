/** TensorFlowModel: an emitted module with its weights and states, as the trainer drives it. */
import * as tf from "@tensorflow/tfjs-core";
import {
  checkRunSizes,
  evaluateSize,
  type ParameterInfo,
  type PhaseName,
  type Sizes,
  type Tensor,
} from "../program.ts";
import type { ModelShape, TrainableModel } from "../train/model.ts";
import type { Outputs, Phases, Run, UpdateRun } from "./run.ts";

/** A program whose phases are functions of a module. */
export interface TensorFlowProgram extends ModelShape {
  readonly name: string;
  readonly parameters: readonly ParameterInfo[];
}

type Numbers = Float32Array | Int32Array;

const smallest = 1e-37;

/** A tensor that outlives a phase: on the device, with a copy on the host while someone may read or write it. */
class Held {
  readonly #shape: readonly number[];
  #tensor: tf.Tensor | null = null;
  #view: Float32Array | null = null;

  constructor(shape: readonly number[]) {
    this.#shape = shape;
  }

  view(): Float32Array {
    this.#view ??= Float32Array.from(this.#device().dataSync());
    return this.#view;
  }

  #device(): tf.Tensor {
    this.#tensor ??= tf.keep(tf.zeros([...this.#shape]));
    return this.#tensor;
  }

  /** The tensor with what was written to the view. */
  tensor(): tf.Tensor {
    if (this.#view !== null) {
      this.#tensor?.dispose();
      this.#tensor = tf.keep(tf.tensor(this.#view.slice(), [...this.#shape]));
      this.#view = null;
    }
    return this.#device();
  }

  /** Replaces the value by one that is the holder's from now on. */
  take(next: tf.Tensor): void {
    const kept = tf.keep(next);
    this.#tensor?.dispose();
    this.#tensor = kept;
    this.#view = null;
  }

  free(): void {
    this.#tensor?.dispose();
    this.#tensor = null;
    this.#view = null;
  }
}

export interface TensorFlowSizes {
  readonly batch: number;
  readonly length: number;
}

export class TensorFlowModel implements TrainableModel {
  readonly program: TensorFlowProgram;
  #sizes: Sizes;
  readonly #phases: Phases;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  /** Parameters, gradients, states and outputs. */
  readonly #held = new Map<string, Held>();
  readonly #inputs = new Map<string, Numbers>();
  readonly #trained: readonly ParameterInfo[];
  #scalars: Readonly<Record<string, number>> = {};
  #closed = false;

  constructor(program: TensorFlowProgram, phases: Phases, { batch, length }: TensorFlowSizes) {
    checkRunSizes(program, { batch, length });
    this.program = program;
    this.#sizes = { batch, length, threads: 1, "query-start": 0 };
    this.#phases = phases;
    this.#tensors = new Map(program.tensors.map((tensor) => [tensor.name, tensor]));
    this.#trained = program.parameters.filter(({ trainable }) => trainable);
  }

  get sizes(): Sizes {
    return this.#sizes;
  }

  resize({ batch, length }: TensorFlowSizes): void {
    this.#checkOpen();
    checkRunSizes(this.program, { batch, length });
    if (batch === this.#sizes.batch && length === this.#sizes.length) return;
    this.#sizes = { ...this.#sizes, batch, length };
    this.#inputs.clear();
    for (const [name, held] of this.#held) {
      if (this.#known(name).role !== "output") continue;
      held.free();
      this.#held.delete(name);
    }
  }

  get memoryBytes(): number {
    let elements = 0;
    for (const name of this.#held.keys()) elements += this.#shapeOf(name).reduce((a, b) => a * b, 1);
    for (const values of this.#inputs.values()) elements += values.length;
    return 4 * elements;
  }

  #shapeOf(name: string): readonly number[] {
    return this.#known(name).shape.map((size) => evaluateSize(size, this.sizes));
  }

  #known(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new RangeError(`program ${this.program.name} has no tensor "${name}"`);
    return tensor;
  }

  #holder(name: string): Held {
    const known = this.#held.get(name);
    if (known !== undefined) return known;
    const made = new Held(this.#shapeOf(name));
    this.#held.set(name, made);
    return made;
  }

  tensor(name: string): Numbers {
    this.#checkOpen();
    const { role, dtype } = this.#known(name);
    if (role !== "input") return this.#holder(name).view();
    const known = this.#inputs.get(name);
    if (known !== undefined) return known;
    const count = this.#shapeOf(name).reduce((a, b) => a * b, 1);
    const made = dtype === "i32" ? new Int32Array(count) : new Float32Array(count);
    this.#inputs.set(name, made);
    return made;
  }

  run(phase: PhaseName, scalars: Readonly<Record<string, number>>): void {
    this.#checkOpen();
    this.#scalars = scalars;
    if (phase === "update") {
      this.#update();
      return;
    }
    const work = this.#phases[phase];
    if (work === undefined) throw new RangeError(`program ${this.program.name} has no phase ${phase}`);
    // Weights that were written go to the device outside the scope that frees what a phase makes.
    for (const { path } of this.program.parameters) this.#holder(path).tensor();
    const accumulate = phase === "train" && scalars["accumulate"] === 1;
    const outputs = tf.tidy(() => {
      const made = work(this.#run());
      if (!accumulate) return made;
      return Object.fromEntries(
        Object.entries(made).map(([name, tensor]) => [
          name,
          name.startsWith("gradient:") ? tf.add(this.#holder(name).tensor(), tensor) : tensor,
        ]),
      );
    }) as Outputs;
    const taken = new Set<tf.Tensor>();
    for (const [name, tensor] of Object.entries(outputs)) {
      this.#holder(name).take(taken.has(tensor) ? tf.clone(tensor) : tensor);
      taken.add(tensor);
    }
  }

  #scalar(name: string): number {
    const value = this.#scalars[name];
    if (value === undefined) throw new Error(`no scalar ${name} was given`);
    return value;
  }

  #run(): Run {
    const { batch, length } = this.sizes;
    return {
      batch,
      length,
      queryLength: length,
      queryStart: 0,
      seed: this.#scalars["seed"] ?? 0,
      step: this.#scalars["step"] ?? 0,
      scalar: (name) => this.#scalar(name),
      weight: (path) => this.#holder(path).tensor(),
      input: (name) => {
        const full = `input:${name}`;
        const values = this.tensor(full).slice();
        return tf.tensor(
          values,
          [...this.#shapeOf(full)],
          values instanceof Int32Array ? "int32" : "float32",
        );
      },
    };
  }

  /** Clips by the norm of all gradients, then takes the optimizer's step of each parameter. */
  #update(): void {
    const { update } = this.#phases;
    if (update === undefined) throw new RangeError(`program ${this.program.name} has no phase update`);
    const run: UpdateRun = { step: this.#scalar("step"), scalar: (name) => this.#scalar(name) };
    const states = this.program.tensors.filter(({ role }) => role === "state");
    const norm = tf.tidy(() => {
      const squares = this.#trained.map(({ path }) =>
        tf.sum(tf.square(this.#holder(`gradient:${path}`).tensor())),
      );
      return tf.sqrt(squares.length === 0 ? tf.scalar(0) : tf.addN(squares));
    });
    const factor = tf.tidy(() => tf.minimum(1, tf.div(this.#scalar("clip"), tf.maximum(norm, smallest))));
    for (const { path } of this.#trained) {
      const own = states
        .filter(({ name }) => name.endsWith(`:${path}`))
        .map(({ name }) => this.#holder(name));
      const weight = this.#holder(path);
      const [w, old] = [weight.tensor(), own.map((state) => state.tensor())];
      const next = tf.tidy(() =>
        update(run, w, tf.mul(this.#holder(`gradient:${path}`).tensor(), factor), old as never),
      );
      weight.take(next[0]!);
      own.forEach((state, n) => state.take(next[n + 1]!));
    }
    this.#holder("gradient-norm").take(tf.reshape(norm, [1]));
    tf.dispose([norm, factor]);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const held of this.#held.values()) held.free();
    this.#held.clear();
    this.#inputs.clear();
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error(`model of ${this.program.name} is closed`);
  }
}
