/** Launches of the CUDA device as bytes: sizes, arguments, configurations, tensor maps, without a GPU. */
import { describe, expect, it } from "vitest";
import koffi from "koffi";
import { evaluateLaunchSize, type CudaArgument, type CudaLaunch } from "../../runtime/device/cuda/launch.ts";
import { layArguments, PackedLaunches, type DeviceSpan } from "../../runtime/device/cuda/pack.ts";
import { tensorMapProblem, type TensorMap } from "../../runtime/device/cuda/tensor-map.ts";

const buffers: readonly DeviceSpan[] = [
  { address: 0x7f00_0000_1000n, byteLength: 4096 },
  { address: 0x7f00_0010_0000n, byteLength: 2 * 64 * 33 },
];

const launchOf = (args: readonly CudaArgument[], more: Partial<CudaLaunch> = {}): CudaLaunch => ({
  source: 0,
  label: "probe",
  grid: ["blocks", 2, 3],
  threads: 384,
  cluster: 1,
  sharedBytes: 1000,
  arguments: args,
  ...more,
});

const pack = (launch: CudaLaunch, sizes = { blocks: 4, n: 33 }, maps: TensorMap[] = []): PackedLaunches =>
  new PackedLaunches([launch], buffers, sizes, 0xabcdn, (map, target) => {
    maps.push(map);
    target.fill(0x5a);
  });

const bytesAt = (address: bigint, length: number): DataView => new DataView(koffi.view(address, length));

describe("sizes", () => {
  it("are evaluated exactly", () => {
    expect(evaluateLaunchSize(["ceil-div", ["*", "n", 3], 64], { n: 43 })).toBe(3);
    expect(evaluateLaunchSize(["floor-div", ["-", "n", 1], 64], { n: 64 })).toBe(0);
    expect(evaluateLaunchSize(["min", "n", ["max", 2, 5], ["+", 1, 2]], { n: 9 })).toBe(3);
    expect(() => evaluateLaunchSize("m", { n: 1 })).toThrow("no size is called m");
    expect(() => evaluateLaunchSize(["*", "n", "n"], { n: 2 ** 30 })).toThrow("too large");
  });
});

describe("packing", () => {
  it("lays arguments as C does", () => {
    expect(layArguments(["i32", "pointer", "f32", "tensor-map", "i32", "i64"])).toEqual({
      offsets: [0, 8, 16, 64, 192, 200],
      bytes: 208,
    });
  });

  it("writes each argument where the driver looks for it", () => {
    const packed = pack(
      launchOf([
        { kind: "pointer", buffer: 0, offset: ["*", "n", 16] },
        { kind: "i32", value: ["-", 0, "n"] },
        { kind: "f32", value: 0.5 },
        { kind: "i64", value: ["*", "n", 2 ** 40] },
        { kind: "f32", value: "rate" },
      ]),
    );
    const pointers = bytesAt(packed.launches[0]!.parameters, 40);
    const at = (n: number): DataView => bytesAt(pointers.getBigUint64(8 * n, true), 8);
    expect(at(0).getBigUint64(0, true)).toBe(0x7f00_0000_1000n + 528n);
    expect(at(1).getInt32(0, true)).toBe(-33);
    expect(at(2).getFloat32(0, true)).toBe(0.5);
    expect(at(3).getBigInt64(0, true)).toBe(33n * 2n ** 40n);
    packed.fill({ rate: 0.25 });
    expect(at(4).getFloat32(0, true)).toBe(0.25);
    packed.fill({ rate: -3 });
    expect(at(4).getFloat32(0, true)).toBe(-3);
    expect(() => packed.fill({})).toThrow("rate");
  });

  it("writes the configuration, with an attribute for a cluster", () => {
    const config = bytesAt(pack(launchOf([])).launches[0]!.config, 56);
    expect([0, 4, 8, 12, 16, 20, 24].map((at) => config.getUint32(at, true))).toEqual([
      4, 2, 3, 384, 1, 1, 1000,
    ]);
    expect(config.getBigUint64(32, true)).toBe(0xabcdn);
    expect(config.getUint32(48, true)).toBe(0);

    const clustered = bytesAt(pack(launchOf([], { cluster: 2 })).launches[0]!.config, 56);
    expect(clustered.getUint32(48, true)).toBe(1);
    const attribute = bytesAt(clustered.getBigUint64(40, true), 72);
    expect([0, 8, 12, 16].map((at) => attribute.getUint32(at, true))).toEqual([4, 2, 1, 1]);
  });

  it("places a tensor map at a multiple of 64 with its sizes known", () => {
    const maps: TensorMap[] = [];
    const packed = pack(
      launchOf([
        { kind: "i32", value: 1 },
        {
          kind: "tensor-map",
          buffer: 1,
          element: "bf16",
          extents: [64, "n"],
          strides: [128],
          box: [64, 16],
          swizzle: 128,
        },
      ]),
      undefined,
      maps,
    );
    expect(maps).toMatchObject([{ address: 0x7f00_0010_0000n, extents: [64, 33], strides: [128] }]);
    const address = bytesAt(packed.launches[0]!.parameters, 16).getBigUint64(8, true);
    expect(address % 64n).toBe(0n);
    expect([...new Uint8Array(koffi.view(address, 128))].every((byte) => byte === 0x5a)).toBe(true);
  });

  it("leaves out a launch over nothing, and refuses what cannot be", () => {
    expect(pack(launchOf([]), { blocks: 0, n: 1 }).launches).toEqual([]);
    expect(() => pack(launchOf([{ kind: "pointer", buffer: 7 }]))).toThrow(
      "kernel probe: there is no buffer 7",
    );
    expect(() => pack(launchOf([{ kind: "pointer", buffer: 0, offset: 4097 }]))).toThrow("offset 4097");
    expect(() => pack(launchOf([{ kind: "i32", value: 2 ** 31 }]))).toThrow("32 bits");
    expect(() => pack(launchOf([], { cluster: 3 }))).toThrow("no multiple");
    expect(() => pack(launchOf([], { grid: [1, 70_000, 1] }))).toThrow("along y");
    const beyond: CudaArgument = {
      kind: "tensor-map",
      buffer: 1,
      element: "bf16",
      extents: [64, ["+", "n", 1]],
      strides: [128],
      box: [64, 16],
      swizzle: 128,
    };
    expect(() => pack(launchOf([beyond]))).toThrow("spans 4352 bytes of a buffer of 4224");
  });

  it("says what the hardware does not take in a tensor map", () => {
    const map: TensorMap = {
      address: 256n,
      element: "f32",
      extents: [64, 8],
      strides: [256],
      box: [32, 8],
      swizzle: 128,
    };
    expect(tensorMapProblem(map)).toBeNull();
    expect(tensorMapProblem({ ...map, address: 8n })).toContain("address");
    expect(tensorMapProblem({ ...map, strides: [264] })).toContain("stride 264");
    expect(tensorMapProblem({ ...map, box: [33, 8] })).toContain("132 bytes");
    expect(tensorMapProblem({ ...map, box: [64, 8] })).toContain("swizzle");
    expect(tensorMapProblem({ ...map, box: [32, 257] })).toContain("257");
    expect(tensorMapProblem({ ...map, extents: [64, 0] })).toContain("extent 0");
  });
});
