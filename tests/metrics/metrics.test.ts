/** Metrics: rows as files, taken back on resume; TensorBoard records as its readers take them; progress lines. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import protobuf from "protobufjs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { frame, maskedCrc32c, scalarEvent, versionEvent } from "../../runtime/metrics/event-file.ts";
import { MetricFiles } from "../../runtime/metrics/metric-files.ts";
import { bytes, clock, rate, short } from "../../runtime/metrics/numbers.ts";
import { Progress } from "../../runtime/metrics/progress.ts";
import { csvLine } from "../../runtime/metrics/rows.ts";
import type { EvaluationRow, StepRow } from "../../runtime/metrics/rows.ts";

const root = mkdtempSync(join(tmpdir(), "lctx-metrics-"));
afterAll(() => rmSync(root, { recursive: true }));
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(root, "run-"));
});

const step = (totalSteps: number, changes: Partial<StepRow> = {}): StepRow => ({
  kind: "step",
  stage: "main",
  step: totalSteps,
  totalSteps,
  loss: 5 - totalSteps / 10,
  lr: 1e-3,
  gradientNorm: 0.5,
  tokens: totalSteps * 100,
  tokensPerSecond: 12_345,
  seconds: totalSteps,
  ...changes,
});

const evaluation = (totalSteps: number): EvaluationRow => ({
  kind: "evaluation",
  stage: "main",
  step: totalSteps,
  totalSteps,
  loss: 2,
  perplexity: Math.exp(2),
  bitsPerByte: null,
  targets: 10,
});

const read = (name: string): string => readFileSync(join(folder, name), "utf8");

describe("metric files", () => {
  it("hold every row, as JSON lines and as CSV", () => {
    const files = new MetricFiles(folder, 0, { tensorboard: false });
    files.add(step(1));
    files.add(evaluation(1));
    files.close();
    expect(
      read("metrics.jsonl")
        .trim()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([step(1), evaluation(1)]);
    expect(read("metrics.csv").split("\n").slice(0, 3)).toEqual([
      "kind,stage,step,total_steps,loss,lr,gradient_norm,tokens,tokens_per_second,seconds,perplexity,bits_per_byte,targets",
      "step,main,1,1,4.9,0.001,0.5,100,12345,1,,,",
      `evaluation,main,1,1,2,,,,,,${Math.exp(2)},,10`,
    ]);
    expect(readdirSync(folder).sort()).toEqual(["metrics.csv", "metrics.jsonl"]);
  });

  it("take back rows of steps that are done again, and torn lines", () => {
    const first = new MetricFiles(folder, 0, { tensorboard: false });
    for (let i = 1; i <= 5; i++) first.add(step(i));
    appendFileSync(join(folder, "metrics.jsonl"), '{"kind":"step","totalSt');
    const second = new MetricFiles(folder, 3, { tensorboard: false });
    expect(second.rows().map((row) => row.totalSteps)).toEqual([1, 2, 3]);
    second.add(step(4));
    expect(read("metrics.csv").trim().split("\n")).toHaveLength(5);
    expect(read("metrics.jsonl").trim().split("\n")).toHaveLength(4);
  });

  it("never hold a formula", () => {
    expect(csvLine(step(1, { stage: '=cmd("x")' }))).toContain(`step,"'=cmd(""x"")",1`);
  });
});

describe("event files", () => {
  /** The messages of tensorflow/core/util/event.proto and summary.proto that matter here. */
  const { root: types } = protobuf.parse(
    `
    syntax = "proto3";
    message Event { double wall_time = 1; int64 step = 2; oneof what { string file_version = 3; Summary summary = 5; } }
    message Summary { message Value { string tag = 1; oneof value { float simple_value = 2; } } repeated Value value = 1; }
  `,
    { keepCase: true },
  );
  const Event = types.lookupType("Event");
  const decode = (data: Uint8Array): unknown => Event.toObject(Event.decode(data), { longs: Number });

  /** Reads records as TensorBoard does: both sums must be right. */
  function records(file: Buffer): Buffer[] {
    const out: Buffer[] = [];
    for (let at = 0; at < file.length;) {
      const length = Number(file.readBigUInt64LE(at));
      expect(file.readUInt32LE(at + 8)).toBe(maskedCrc32c(file.subarray(at, at + 8)));
      const data = file.subarray(at + 12, at + 12 + length);
      expect(file.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(data));
      out.push(data);
      at += 16 + length;
    }
    return out;
  }

  it("frame records with the masked sums that TensorFlow writes", () => {
    const data = versionEvent(0);
    // The twelve bytes that every event file of TensorFlow begins with: a length of 24, and its masked sum.
    expect(frame(data).subarray(0, 12).toString("hex")).toBe("1800000000000000a37f4b22");
    // crc32c("123456789") is 0xe3069283; masked by rotation right by 15 and the constant of the format.
    const crc = 0xe3069283;
    const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
    expect(maskedCrc32c(Buffer.from("123456789"))).toBe(masked);
    expect(records(frame(data))).toEqual([Buffer.from(data)]);
  });

  it("decode to what was written", () => {
    expect(decode(versionEvent(1.5))).toEqual({ wall_time: 1.5, file_version: "brain.Event:2" });
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`train/a-long-name-${i}`, i / 4]));
    expect(decode(scalarEvent(2, 2 ** 40, many))).toEqual({
      wall_time: 2,
      step: 2 ** 40,
      summary: { value: Object.entries(many).map(([tag, simple_value]) => ({ tag, simple_value })) },
    });
  });

  it("are written beside the other files", () => {
    const files = new MetricFiles(folder, 0, { tensorboard: true });
    files.add(step(1));
    files.add(evaluation(1));
    files.close();
    const name = readdirSync(folder).find((file) => file.startsWith("events.out.tfevents."))!;
    const events = records(readFileSync(join(folder, name))).map(decode);
    expect(events).toMatchObject([
      { file_version: "brain.Event:2" },
      { step: 1, summary: { value: [{ tag: "train/loss", simple_value: Math.fround(4.9) }, {}, {}, {}] } },
      {
        step: 1,
        summary: { value: [{ tag: "validation/loss", simple_value: 2 }, { tag: "validation/perplexity" }] },
      },
    ]);
  });
});

describe("progress", () => {
  const output = (isTTY = false) => {
    const lines: string[] = [];
    return { isTTY, lines, write: (text: string) => lines.push(text) };
  };

  it("prints plain lines now and then, and always the last", () => {
    const out = output();
    let time = 0;
    const progress = new Progress({
      output: out,
      format: "text",
      totalSteps: 100,
      now: () => time,
      interval: 1000,
    });
    for (let i = 1; i <= 100; i++) {
      time += 100;
      progress.step(step(i), 1.5);
      if (i === 50) progress.evaluation(evaluation(50));
    }
    progress.close({
      title: "Done",
      rows: [
        ["a", "1"],
        ["longer", "2"],
      ],
    });
    const text = out.lines.join("");
    expect(text).not.toContain("\u001b");
    expect(out.lines).toHaveLength(13);
    expect(out.lines[0]).toMatch(
      /^step 1\/100 {2}loss 1\.5000 {2}lr 1\.00e-3 {2}grad 0\.500 {2}12\.3k tok\/s {2}(\d+ MiB|\d+\.\d\d GiB) {2}– left\n$/,
    );
    expect(text).toContain("step 50/100  validation loss 2.0000  perplexity 7.389\n");
    expect(text).toMatch(/step 100\/100 .* 0:00 left\nDone\n {2}a {7}1\n {2}longer {2}2\n$/);
  });

  it("draws one line on a terminal, with remarks above it", () => {
    const out = Object.assign(output(true), { columns: 140 });
    const progress = new Progress({ output: out, format: "text", totalSteps: 10 });
    for (let i = 5; i <= 10; i++) progress.step(step(i), 1.25);
    progress.note("a remark");
    progress.close({ title: "Done", rows: [["time", "0:01"]] });
    const text = out.lines.join("");
    expect(text).toMatch(
      /10\/10 {2}loss 1\.2500 {2}0:00 left {2}12\.3k tok\/s {2}lr 1\.00e-3 {2}grad 0\.500 {2}(\d+ MiB|\d+\.\d\d GiB)/,
    );
    expect(text).toContain("\r\u001b[Ka remark\n");
    // A saved cursor would be restored onto lines that were printed above the bar since.
    expect(text).not.toMatch(/\u001b[78]/);
    expect(text.endsWith("Done\n  time  0:01\n")).toBe(true);
  });

  it("says what is waited for on a terminal only, and takes it back", () => {
    const [terminal, file] = [output(true), output()];
    for (const out of [terminal, file]) {
      const progress = new Progress({ output: out, format: "text", totalSteps: 2 });
      progress.busy("compiling …");
      progress.note("a remark");
      progress.stop();
    }
    expect(terminal.lines).toEqual(["\r\u001b[Kcompiling …", "\r\u001b[K", "a remark\n"]);
    expect(file.lines).toEqual(["a remark\n"]);
  });

  it("counts the time left from the first step's end, so that compiling before it does not count", () => {
    const out = output();
    let time = 60_000;
    const progress = new Progress({
      output: out,
      format: "text",
      totalSteps: 11,
      now: () => time,
      interval: 0,
    });
    for (let i = 1; i <= 3; i++) {
      progress.step(step(i), 1);
      time += 2000;
    }
    expect(out.lines.map((line) => / {2}(\S+) left/.exec(line)![1])).toEqual(["–", "0:18", "0:16"]);
  });

  it("prints JSON lines when asked", () => {
    const out = output(true);
    const progress = new Progress({ output: out, format: "json", totalSteps: 2 });
    progress.step(step(1), 1);
    progress.note("a remark");
    progress.close({ title: "Done", rows: [["time", "0:01"]] });
    expect(out.lines.map((line): unknown => JSON.parse(line))).toEqual([
      step(1),
      { kind: "note", text: "a remark" },
      { kind: "end", title: "Done", time: "0:01" },
    ]);
  });

  it("writes numbers for people", () => {
    expect([0, 7, 999, 1000, 12_345, 999_600, 4_560_000].map(short)).toEqual([
      "0",
      "7",
      "999",
      "1.00k",
      "12.3k",
      "1.00M",
      "4.56M",
    ]);
    expect([0, 59.6, 3600, 3723].map(clock)).toEqual(["0:00", "1:00", "1:00:00", "1:02:03"]);
    expect([2 ** 20, 100 * 2 ** 20, 1.5 * 2 ** 30].map(bytes)).toEqual(["1.0 MiB", "100 MiB", "1.50 GiB"]);
    expect([0, 6e-4].map(rate)).toEqual(["0", "6.00e-4"]);
  });
});
