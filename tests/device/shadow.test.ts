/** Host copies of a GPU's memory: what is copied when, and how many copies stay when sizes change from run to run. */
import { expect, it } from "vitest";
import { ShadowedMemory } from "../../runtime/device/cuda/shadow.ts";

function shadowed() {
  const own = new Uint8Array(4096);
  const copies: string[] = [];
  const at = (span: { address: bigint; byteLength: number }): Uint8Array =>
    own.subarray(Number(span.address), Number(span.address) + span.byteLength);
  const memory = new ShadowedMemory(
    {
      ...{ address: 0n, byteLength: own.length, free: () => undefined },
      part: (offset, byteLength) => ({ address: BigInt(offset), byteLength }),
    },
    {
      upload: (to, data) => {
        copies.push(`up ${to.address} ${data.byteLength}`);
        at(to).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      },
      download: (from, into) => {
        copies.push(`down ${from.address} ${into.byteLength}`);
        new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(
          at(from).subarray(0, into.byteLength),
        );
      },
    },
    () => undefined,
  );
  const taken = (): string[] => copies.splice(0);
  return { memory, taken };
}

it("gives back what the host wrote, once, and reads what a run left", () => {
  const { memory, taken } = shadowed();
  memory.f32(64, 2, "give").set([1, 2]);
  memory.settle();
  expect(taken()).toEqual(["up 64 8"]);
  memory.settle();
  expect(taken()).toEqual([]);
  expect([...memory.f32(64, 2, "read")]).toEqual([1, 2]);
  memory.settle();
  expect([...memory.f32(64, 2, "change")]).toEqual([1, 2]);
  memory.settle();
  expect(taken()).toEqual(["down 64 8", "down 64 8", "up 64 8"]);
});

it("keeps arrays that come back each run, and not those of every size that ever was", () => {
  const { memory, taken } = shadowed();
  const first = memory.i32(0, 7, "give");
  memory.settle();
  expect(memory.i32(0, 7, "give")).toBe(first);
  memory.settle();
  for (let length = 8; length < 100; length++) {
    memory.i32(0, length, "give").fill(length);
    memory.settle();
  }
  taken();
  const again = memory.i32(0, 7, "give");
  expect(again).not.toBe(first);
  again.fill(7);
  memory.settle();
  expect(taken()).toEqual(["up 0 28"]);
  expect([...memory.i32(0, 8, "read")]).toEqual([7, 7, 7, 7, 7, 7, 7, 99]);
});
