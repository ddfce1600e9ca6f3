/** Philox for many counters in a row, as WebAssembly made here: it has the 64-bit product that JavaScript does without. */
import { webAssembly } from "../web-assembly.ts";
import { keyStep0, keyStep1, roundMultiplier0, roundMultiplier1, type Key } from "./philox.ts";

/** Blocks of four words that one call makes. */
export const mostBlocks = 4096;

const [i32, i64] = [0x7f, 0x7e];
const op = { loop: 0x03, end: 0x0b, branchIf: 0x0d, get: 0x20, set: 0x21, tee: 0x22, store: 0x36 } as const;
const op32 = { constant: 0x41, less: 0x49, add: 0x6a, xor: 0x73, shiftLeft: 0x74, wrap: 0xa7 } as const;
const op64 = { constant: 0x42, multiply: 0x7e, shiftRight: 0x88, extend: 0xad } as const;

/** A whole number in LEB128, with its sign. */
function signed(value: number | bigint): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    const last = rest >> 6n === 0n || rest >> 6n === -1n;
    bytes.push(last ? low : low | 0x80);
    if (last) return bytes;
  }
}

/** A length in LEB128, without a sign. */
const unsigned = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
const section = (id: number, bytes: readonly number[]): number[] => [id, ...unsigned(bytes.length), ...bytes];

/** `fill(key0, key1, low, high, count)`: the words of `count` counters [low + n, high, 0, 0], from byte 0 of `memory`. */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const [key0, key1, low, high, count, n, c0, c1, c2, c3, p0, p1] = Array.from({ length: 12 }, (_, i) => i);
  const code: number[] = [];
  const emit = (...bytes: readonly number[]): void => void code.push(...bytes);
  const get = (local: number | undefined): number[] => [op.get, local!];
  const set = (local: number | undefined): number[] => [op.set, local!];
  emit(op.loop, 0x40);
  emit(...get(low), ...get(n), op32.add, ...set(c0), ...get(high), ...set(c1));
  for (const word of [c2, c3]) emit(op32.constant, 0, ...set(word));
  const product = (word: number | undefined, multiplier: number): number[] => {
    const factor = [op64.constant, ...signed(multiplier >>> 0), op64.multiply];
    return [...get(word), op64.extend, ...factor];
  };
  const mixed = (from: number | undefined, word: number | undefined, key: number[]): number[] => {
    const upper = [...get(from), op64.constant, ...signed(32), op64.shiftRight, op32.wrap];
    return [...upper, ...get(word), op32.xor, ...key, op32.xor];
  };
  for (let round = 0; round < 10; round++) {
    const keyAt = (key: number | undefined, step: number): number[] => [
      ...get(key),
      op32.constant,
      ...signed(Math.imul(round, step)),
      op32.add,
    ];
    emit(...product(c0, roundMultiplier0), ...set(p0), ...product(c2, roundMultiplier1), ...set(p1));
    emit(...mixed(p1, c1, keyAt(key0, keyStep0)), ...set(c0), ...get(p1), op32.wrap, ...set(c1));
    emit(...mixed(p0, c3, keyAt(key1, keyStep1)), ...set(c2), ...get(p0), op32.wrap, ...set(c3));
  }
  for (const [i, word] of [c0, c1, c2, c3].entries())
    emit(...get(n), op32.constant, 4, op32.shiftLeft, ...get(word), op.store, 2, i * 4);
  emit(...get(n), op32.constant, 1, op32.add, op.tee, n!, ...get(count), op32.less, op.branchIf, 0, op.end);
  const locals = [2, 5, i32, 2, i64];
  const body = [...locals, ...code, op.end];
  const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 5, i32, i32, i32, i32, i32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, (mostBlocks * 16) / 65_536]),
    ...section(7, [2, ...name("fill"), 0, 0, ...name("memory"), 2, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

type Fill = (key0: number, key1: number, low: number, high: number, count: number) => void;
let made: { readonly fill: Fill; readonly words: Uint32Array } | null = null;

/**
 * The words of `count` (1 to `mostBlocks`) counters [block's lower word, its upper word, 0, 0] from `block` on, four a counter; valid until the next
 * call. The counters' lower words must not overflow within a call.
 */
export function philoxBlocks(key: Key, block: number, count: number): Uint32Array {
  if (count < 1 || count > mostBlocks) throw new RangeError(`${count} blocks in one call`);
  if (made === null) {
    const { exports } = new webAssembly.Instance(new webAssembly.Module(moduleBytes()));
    const memory = exports["memory"] as { readonly buffer: ArrayBuffer };
    made = { fill: exports["fill"] as Fill, words: new Uint32Array(memory.buffer) };
  }
  made.fill(key[0], key[1], block >>> 0, Math.floor(block / 2 ** 32), count);
  return made.words;
}
