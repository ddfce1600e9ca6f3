/** Executables over a device of plain arrays: memory is what the plan says, weights are shared, sizes can change. */
import { describe, expect, it } from "vitest";
import { instantiate } from "../../runtime/executable.ts";
import type { Device, KernelSources, Memory } from "../../runtime/device/device.ts";
import type { Program } from "../../runtime/program.ts";

interface CountedDevice extends Device {
  /** Bytes asked for and not yet given back. */
  held(): number;
}

/** Kernels: `scale` writes input · weight · scalar; the device counts what it gives out. */
function plainDevice(): CountedDevice {
  let bytes = 0;
  return {
    name: "plain",
    threads: 2,
    description: "arrays",
    held: () => bytes,
    allocate(byteLength): Memory {
      bytes += byteLength;
      const buffer = new ArrayBuffer(byteLength);
      let freed = false;
      return {
        byteLength,
        bytes: new Uint8Array(buffer),
        f32: (offset, length) => new Float32Array(buffer, offset, length),
        i32: (offset, length) => new Int32Array(buffer, offset, length),
        free() {
          if (freed) throw new Error("freed twice");
          freed = true;
          bytes -= byteLength;
        },
      };
    },
    load: () =>
      Promise.resolve({
        bind: (launches, place, sizes) => ({
          run(scalars) {
            for (const launch of launches) {
              const [from, weight, to] = launch.buffers.map((id) => place(id));
              const count = sizes.batch * sizes.length;
              const x = from!.memory.f32(from!.offset, count);
              const w = weight!.memory.f32(weight!.offset, 1);
              const y = to!.memory.f32(to!.offset, count);
              const factor = launch.scalars.reduce<number>(
                (product, value) => product * (typeof value === "number" ? value : (scalars[value] ?? NaN)),
                1,
              );
              for (let n = 0; n < count; n++) y[n] = x[n]! * w[0]! * factor;
            }
          },
        }),
      }),
    close: () => undefined,
  };
}

const sources: KernelSources = { files: {}, entries: ["scale"] };
const shape = ["batch", "length"] as const;
const launch = (buffers: readonly number[], scalars: readonly (number | string)[] = []) => ({
  kernel: "scale",
  label: "x: scale",
  buffers,
  writes: [buffers.at(-1)!],
  sizes: [],
  scalars,
});

const program: Program = {
  format: 1,
  name: "scaled",
  parameters: [{ path: "w", shape: [1], init: { kind: "constant", value: 1 }, trainable: true }],
  tensors: [
    { id: 0, name: "w", dtype: "f32", shape: [1], role: "parameter" },
    { id: 1, name: "x", dtype: "f32", shape, role: "input" },
    { id: 2, name: "loss:a", dtype: "f32", shape, role: "activation" },
    { id: 3, name: "loss:b", dtype: "f32", shape, role: "activation" },
    { id: 4, name: "loss", dtype: "f32", shape, role: "output" },
    { id: 5, name: "gradient:w", dtype: "f32", shape: [1], role: "gradient" },
    { id: 6, name: "state:m:w", dtype: "f32", shape: [1], role: "state" },
  ],
  phases: {
    loss: { launches: [launch([1, 0, 2]), launch([2, 0, 3]), launch([3, 0, 4], ["factor"])] },
    train: { launches: [] },
    update: { launches: [launch([5, 6, 0])] },
    logits: { launches: [] },
  },
  maxLength: 100,
  readsAhead: false,
};

describe("executable", () => {
  it("asks the device for exactly the planned bytes, and gives all back", async () => {
    const device = plainDevice();
    const model = await instantiate(program, sources, device, { batch: 3, length: 20 });
    expect(model.memoryBytes).toBe(model.plan.total);
    expect(device.held()).toBe(model.plan.total);
    expect(model.plan.regions.arena).toBe(2 * 256);
    model.close();
    model.close();
    expect(device.held()).toBe(0);
  });

  it("runs a phase over views that people fill and read", async () => {
    const model = await instantiate(program, sources, plainDevice(), { batch: 1, length: 4 });
    model.tensor("w").set([2]);
    model.tensor("x").set([1, 2, 3, 4]);
    model.run("loss", { factor: 0.5 });
    expect([...model.tensor("loss")]).toEqual([4, 8, 12, 16]);
    const times = model.profile("loss", { factor: 1 }, 3);
    expect(times.map((time) => time.label)).toEqual(["x: scale", "x: scale", "x: scale"]);
    expect([...model.tensor("loss")]).toEqual([8, 16, 24, 32]);
  });

  it("shares weights between sizes and phases, and keeps only what they need", async () => {
    const device = plainDevice();
    const training = await instantiate(program, sources, device, { batch: 4, length: 8 });
    const evaluation = training.at({ batch: 1, length: 2 }, ["loss"]);
    expect(device.held()).toBe(training.memoryBytes + evaluation.memoryBytes);
    training.tensor("w").set([3]);
    evaluation.tensor("x").set([1, 1]);
    evaluation.run("loss", { factor: 1 });
    expect([...evaluation.tensor("loss")]).toEqual([27, 27]);
    expect(() => evaluation.run("update", {})).toThrow(/not made ready/);
    training.close();
    expect([...evaluation.tensor("w")]).toEqual([3]);
    evaluation.close();
    expect(device.held()).toBe(0);
  });

  it("grows and shrinks without losing weights", async () => {
    const device = plainDevice();
    const model = await instantiate(program, sources, device, { batch: 1, length: 16 }, ["loss"]);
    model.tensor("w").set([2]);
    for (const length of [64, 3]) {
      model.resize({ batch: 1, length });
      model.tensor("x").fill(1);
      model.run("loss", { factor: 1 });
      expect([...model.tensor("loss")]).toEqual(Array.from({ length }, () => 8));
      expect(device.held()).toBe(model.memoryBytes);
    }
    expect(() => model.resize({ batch: 1, length: 101 })).toThrow(/at most 100 positions/);
    expect(() => model.resize({ batch: 0, length: 3 })).toThrow(/batch must be 1 or more/);
  });

  it("does not show what it does not keep", async () => {
    const model = await instantiate(program, sources, plainDevice(), { batch: 1, length: 1 }, ["loss"]);
    expect(() => model.tensor("loss:a")).toThrow(/only inside a phase/);
    expect(() => model.tensor("state:m:w")).toThrow(/no phase made ready/);
    expect(() => model.tensor("other")).toThrow(/has no tensor "other"/);
    expect(() => model.at({ batch: 1, length: 1 }, ["update"])).toThrow(/is not kept/);
    model.close();
    expect(() => model.tensor("w")).toThrow(/closed/);
  });
});
