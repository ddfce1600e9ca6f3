/** A trainable model in a page of TypeScript: next-byte logits are a row of a table; momentum descent with clipping. */
import type { ParameterInfo, PhaseName, Tensor } from "../../runtime/program.ts";
import { gradientName, tensorNames } from "../../runtime/train/model.ts";
import type { TrainableModel } from "../../runtime/train/model.ts";

export interface BigramOptions {
  readonly batch: number;
  readonly length: number;
  readonly vocabulary?: number;
  /** A further parameter: a bias on the logits. */
  readonly bias?: boolean;
  /** Called after each phase with all tensors; tests use it to watch and to break things. */
  readonly after?: (phase: PhaseName, tensors: ReadonlyMap<string, Float32Array | Int32Array>) => void;
}

const f = Math.fround;

export function bigramModel(options: BigramOptions): TrainableModel {
  const { vocabulary: v = 256 } = options;
  let sizes = { batch: options.batch, length: options.length, threads: 1, "query-start": 0 };
  const parameters: ParameterInfo[] = [
    { path: "table", shape: [v, v], init: { kind: "normal", deviation: 0.02 }, trainable: true },
    ...(options.bias === true
      ? [{ path: "bias", shape: [v], init: { kind: "constant", value: 0 }, trainable: true } as const]
      : []),
  ];
  const tensors: Tensor[] = [];
  const memory = new Map<string, Float32Array | Int32Array>();
  const add = (
    name: string,
    role: Tensor["role"],
    shape: readonly number[],
    dtype: Tensor["dtype"] = "f32",
  ): void => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    tensors.push({ id: tensors.length, name, dtype, shape, role });
    memory.set(name, dtype === "f32" ? new Float32Array(count) : new Int32Array(count));
  };
  for (const { path, shape } of parameters) {
    add(path, "parameter", shape);
    add(gradientName(path), "gradient", shape);
    add(`state:m:${path}`, "state", shape);
  }
  add(tensorNames.lossScale, "input", []);
  add(tensorNames.gradientNorm, "output", [1]);
  const described = (name: string, role: Tensor["role"], dtype: Tensor["dtype"], more: number[] = []) =>
    tensors.push({ id: tensors.length, name, dtype, shape: ["batch", "length", ...more], role });
  described(tensorNames.tokens, "input", "i32");
  described(tensorNames.targets, "input", "i32");
  described(tensorNames.loss, "output", "f32");
  described(tensorNames.logits, "output", "f32", [v]);
  const makeRoom = (): void => {
    const positions = sizes.batch * sizes.length;
    for (const name of [tensorNames.tokens, tensorNames.targets]) memory.set(name, new Int32Array(positions));
    memory.set(tensorNames.loss, new Float32Array(positions));
    memory.set(tensorNames.logits, new Float32Array(positions * v));
  };
  makeRoom();

  const floats = (name: string): Float32Array => memory.get(name) as Float32Array;
  const wholes = (name: string): Int32Array => memory.get(name) as Int32Array;
  const bias = options.bias === true ? floats("bias") : null;
  const row = new Float32Array(v);

  function logitsOf(token: number): Float32Array {
    const table = floats("table");
    for (let j = 0; j < v; j++) row[j] = table[token * v + j]! + (bias?.[j] ?? 0);
    return row;
  }

  function forward(withGradient: boolean): void {
    const losses = floats(tensorNames.loss);
    const scale = floats(tensorNames.lossScale)[0]!;
    const gradient = floats(gradientName("table"));
    const biasGradient = bias === null ? null : floats(gradientName("bias"));
    wholes(tensorNames.tokens).forEach((token, i) => {
      const target = wholes(tensorNames.targets)[i]!;
      losses[i] = 0;
      if (target < 0) return;
      const logits = logitsOf(token);
      const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
      let sum = 0;
      for (let j = 0; j < v; j++) sum = f(sum + f(Math.exp(logits[j]! - top)));
      losses[i] = Math.log(sum) + top - logits[target]!;
      if (!withGradient) return;
      for (let j = 0; j < v; j++) {
        const p = f(f(Math.exp(logits[j]! - top)) / sum);
        const d = f(f(p - (j === target ? 1 : 0)) * scale);
        gradient[token * v + j]! += d;
        if (biasGradient !== null) biasGradient[j]! += d;
      }
    });
  }

  function update(scalars: Readonly<Record<string, number>>): void {
    let squares = 0;
    for (const { path } of parameters) for (const g of floats(gradientName(path))) squares += g * g;
    const norm = Math.sqrt(squares);
    floats(tensorNames.gradientNorm)[0] = norm;
    const scale = f(norm > scalars["clip"]! ? scalars["clip"]! / norm : 1);
    for (const { path } of parameters) {
      const [w, g, m] = [floats(path), floats(gradientName(path)), floats(`state:m:${path}`)];
      for (let i = 0; i < w.length; i++) {
        m[i] = f(f(0.9 * m[i]!) + f(g[i]! * scale));
        w[i] = f(w[i]! - f(scalars["lr"]! * m[i]!));
      }
    }
  }

  function run(phase: PhaseName, scalars: Readonly<Record<string, number>>): void {
    switch (phase) {
      case "loss":
        forward(false);
        break;
      case "train":
        if (scalars["accumulate"] === 0)
          for (const { path } of parameters) floats(gradientName(path)).fill(0);
        forward(true);
        break;
      case "update":
        update(scalars);
        break;
      case "logits":
        wholes(tensorNames.tokens).forEach((token, i) =>
          floats(tensorNames.logits).set(logitsOf(token), i * v),
        );
        break;
      default:
        phase satisfies never;
    }
    options.after?.(phase, memory);
  }

  return {
    program: { parameters, tensors, maxLength: null, readsAhead: false },
    get sizes() {
      return sizes;
    },
    resize({ batch, length }) {
      if (batch === sizes.batch && length === sizes.length) return;
      sizes = { ...sizes, batch, length };
      makeRoom();
    },
    memoryBytes: [...memory.values()].reduce((sum, view) => sum + view.byteLength, 0),
    tensor: (name) => {
      const view = memory.get(name);
      if (view === undefined) throw new RangeError(`no tensor "${name}"`);
      return view;
    },
    run,
    close: () => undefined,
  };
}
