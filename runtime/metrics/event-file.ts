/** TensorBoard event files: records of scalars, framed with masked CRC32C sums (tensorflow/core/lib/io/record_writer). */
import { closeSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Crc32c } from "@aws-crypto/crc32c";
import protobuf from "protobufjs/minimal.js";

/** The checksum of record files: rotated and shifted, so that sums of data that hold sums stay good. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = new Crc32c().update(bytes).digest() >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One record: length, its sum, data, its sum. */
export function frame(data: Uint8Array): Buffer {
  const out = Buffer.alloc(16 + data.length);
  out.writeBigUInt64LE(BigInt(data.length), 0);
  out.writeUInt32LE(maskedCrc32c(out.subarray(0, 8)), 8);
  out.set(data, 12);
  out.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return out;
}

/** Field numbers and wire types of tensorflow.Event, Summary and Summary.Value. */
const tag = (field: number, wire: 0 | 1 | 2 | 5): number => (field << 3) | wire;

function event(wallSeconds: number, step: number): protobuf.Writer {
  const writer = protobuf.Writer.create().uint32(tag(1, 1)).double(wallSeconds);
  // As TensorFlow does: a number that is 0 is not written.
  return step === 0 ? writer : writer.uint32(tag(2, 0)).int64(step);
}

/** The record that begins each file. */
export function versionEvent(wallSeconds: number): Uint8Array {
  return event(wallSeconds, 0).uint32(tag(3, 2)).string("brain.Event:2").finish();
}

/** Scalars of one step by tag. */
export function scalarEvent(
  wallSeconds: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  const writer = event(wallSeconds, step).uint32(tag(5, 2)).fork();
  for (const [name, value] of Object.entries(scalars)) {
    writer.uint32(tag(1, 2)).fork();
    writer.uint32(tag(1, 2)).string(name).uint32(tag(2, 5)).float(value);
    writer.ldelim();
  }
  return writer.ldelim().finish();
}

export class EventFile {
  readonly path: string;
  readonly #descriptor: number;

  /** Begins a new file in `folder`; `wallSeconds` is the time since 1970. TensorBoard reads all files of a folder together. */
  constructor(folder: string, wallSeconds: number) {
    const host = hostname().replace(/[^\w.-]/g, "_");
    this.path = join(
      folder,
      `events.out.tfevents.${String(Math.floor(wallSeconds)).padStart(10, "0")}.${host}.${process.pid}`,
    );
    this.#descriptor = openSync(this.path, "a");
    this.#write(versionEvent(wallSeconds));
  }

  add(wallSeconds: number, step: number, scalars: Readonly<Record<string, number>>): void {
    this.#write(scalarEvent(wallSeconds, step, scalars));
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #write(data: Uint8Array): void {
    const bytes = frame(data);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
  }
}
