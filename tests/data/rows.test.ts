/** Rows against a plain description of what they hold, on random texts and layouts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { RowOrder } from "../../runtime/data/row-order.ts";
import { fillRow, isInserted, layOut, rowLength, textTokens } from "../../runtime/data/rows.ts";
import type { RowLayout } from "../../runtime/data/rows.ts";
import type { TokenFile } from "../../runtime/data/token-cache.ts";
import { splitTokens, TokenView } from "../../runtime/data/token-view.ts";

const folder = mkdtempSync(join(tmpdir(), "lctx-rows-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A token file of the given documents. */
function fileOf(documents: readonly (readonly number[])[], width: 2 | 4 = 2): TokenFile {
  const tokens = documents.flat();
  const bytes = Buffer.alloc(tokens.length * width);
  tokens.forEach((id, i) => (width === 2 ? bytes.writeUInt16LE(id, i * 2) : bytes.writeUInt32LE(id, i * 4)));
  const path = join(folder, "t.tokens");
  writeFileSync(path, bytes);
  let at = 0;
  const starts = documents.map((document) => {
    at += document.length;
    return at - document.length;
  });
  const facts = {
    format: 1,
    key: "",
    digest: "",
    width,
    tokens: tokens.length,
    textBytes: tokens.length,
    bytesExact: true,
    documents: starts,
  } as const;
  return { path, facts };
}

const wholeView = (file: TokenFile): TokenView =>
  new TokenView(
    file,
    file.facts.documents.map((from, i) => ({ from, to: file.facts.documents[i + 1] ?? file.facts.tokens })),
  );

function readRow(view: TokenView, at: number, layout: RowLayout) {
  const length = rowLength(layout, view.tokens - at);
  const make = (): Int32Array => new Int32Array(length).fill(-7);
  const buffers = { tokens: make(), targets: make(), documents: make(), starts: make() };
  const counted = fillRow(view, at, layout, length, buffers, 0);
  const [tokens, targets, documents, starts] = [
    [...buffers.tokens],
    [...buffers.targets],
    [...buffers.documents],
    [...buffers.starts],
  ];
  return { tokens, targets, documents, starts, counted };
}

const plain: RowLayout = {
  length: 6,
  packed: false,
  cut: false,
  insert: null,
  exceptToken: null,
  exceptPositions: [],
};

describe("a row", () => {
  const view = (): TokenView =>
    wholeView(
      fileOf([
        [1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
      ]),
    );

  it("holds the text, and each position's next token as its target", () => {
    expect(readRow(view(), 1, plain)).toEqual({
      tokens: [2, 3, 4, 5, 6, 7],
      targets: [3, 4, 5, 6, 7, 8],
      documents: [0, 0, 0, 0, 0, 0],
      starts: [0, 0, 0, 0, 0, 0],
      counted: 6,
    });
  });

  it("tells documents apart when packed, and predicts none from another", () => {
    expect(readRow(view(), 1, { ...plain, packed: true })).toEqual({
      tokens: [2, 3, 4, 5, 6, 7],
      targets: [3, -1, 5, 6, 7, -1],
      documents: [0, 0, 1, 1, 1, 1],
      starts: [0, 0, 2, 2, 2, 2],
      counted: 4,
    });
  });

  it("puts the inserted token after every n tokens, aligned to the row", () => {
    const layout = { ...plain, insert: { id: 99, every: 2 } };
    expect(readRow(view(), 0, layout)).toMatchObject({
      tokens: [1, 2, 99, 3, 4, 99],
      targets: [2, 99, 3, 4, 99, 5],
      counted: 6,
    });
    expect(readRow(view(), 0, { ...layout, exceptToken: 99 })).toMatchObject({
      targets: [2, -1, 3, 4, -1, 5],
      counted: 4,
    });
    expect(readRow(view(), 0, { ...layout, length: 5 })).toMatchObject({ targets: [2, 99, 3, 4, 99] });
  });

  it("leaves out the positions the loss excepts", () => {
    expect(
      readRow(view(), 0, {
        ...plain,
        exceptPositions: [
          [0, 2],
          [5, 9],
        ],
      }),
    ).toMatchObject({
      targets: [-1, -1, 4, 5, 6, -1],
      counted: 3,
    });
  });

  it("ends with the text: its last token is a target alone", () => {
    expect(readRow(view(), 6, { ...plain, packed: true })).toEqual({
      tokens: [7, 8],
      targets: [-1, 9],
      documents: [0, 1],
      starts: [0, 1],
      counted: 1,
    });
    const layout = { ...plain, insert: { id: 99, every: 2 } };
    expect(readRow(view(), 6, layout)).toMatchObject({ tokens: [7, 8, 99], targets: [8, 99, 9] });
  });

  it("does the same with wide tokens", () => {
    const wide = wholeView(fileOf([[70_000, 2, 3, 4, 5, 6, 7]], 4));
    expect(readRow(wide, 0, plain).tokens).toEqual([70_000, 2, 3, 4, 5, 6]);
  });

  it("follows its description for random texts and layouts", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 9 }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.record({
          length: fc.integer({ min: 1, max: 12 }),
          packed: fc.boolean(),
          cut: fc.constant(false),
          insert: fc.option(fc.record({ id: fc.constant(99), every: fc.integer({ min: 1, max: 4 }) })),
          exceptToken: fc.option(fc.constantFrom(99, 5)),
          exceptPositions: fc.constantFrom([], [[2, 4] as const]),
        }),
        fc.nat(40),
        (documents, layout, offset) => {
          const text = documents.flatMap((document, d) => document.map((id) => ({ id, d })));
          const at = offset % text.length;
          const row = readRow(wholeView(fileOf(documents)), at, layout);
          // The whole stream from `at` on, with inserted tokens that belong to the document before them.
          const expected: { id: number; d: number }[] = [];
          for (let i = at; i < text.length; i++) {
            if (isInserted(layout, expected.length)) expected.push({ id: 99, d: text[i - 1]!.d });
            expected.push(text[i]!);
          }
          if (isInserted(layout, expected.length) && expected.length === layout.length) {
            expected.push({ id: 99, d: expected.at(-1)!.d });
          }
          let counted = 0;
          expect(row.tokens.length).toBe(Math.min(layout.length, expected.length - 1));
          for (let p = 0; p < row.tokens.length; p++) {
            expect(row.tokens[p]).toBe(expected[p]!.id);
            const next = expected[p + 1]!;
            const counts =
              (!layout.packed || next.d === expected[p]!.d) &&
              next.id !== layout.exceptToken &&
              !layout.exceptPositions.some(([from, to]) => p >= from && p < to);
            expect(row.targets[p]).toBe(counts ? next.id : -1);
            if (counts) counted++;
            if (layout.packed) {
              const start = row.starts[p]!;
              expect(start === 0 || row.documents[start - 1] !== row.documents[p]).toBe(true);
              for (let i = start; i <= p; i++) expect(row.documents[i]).toBe(row.documents[p]);
            }
          }
          expect(row.counted).toBe(counted);
        },
      ),
    );
  });

  it("is laid out the same way for generation", () => {
    expect(layOut({ insert: { id: 99, every: 2 } }, [1, 2, 3, 4, 5])).toEqual([1, 2, 99, 3, 4, 99, 5]);
    expect(textTokens({ insert: { id: 99, every: 2 } }, 6)).toBe(4);
  });
});

describe("the order of rows", () => {
  it("takes every row once an epoch, never beyond the text, and can begin anywhere", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 400 }),
        fc.integer({ min: 1, max: 30 }),
        fc.nat(99),
        (tokens, step, seed) => {
          fc.pre(tokens > step);
          const order = new RowOrder(tokens, step, seed);
          const all = Array.from({ length: order.rows * 3 }, (_, row) => order.tokenOf(row));
          for (let epoch = 0; epoch < 3; epoch++) {
            const sorted = all.slice(epoch * order.rows, (epoch + 1) * order.rows).sort((a, b) => a - b);
            sorted.forEach((at, i) => expect(at).toBe(sorted[0]! + i * step));
            expect(sorted[0]).toBeGreaterThanOrEqual(0);
            expect(sorted.at(-1)! + step).toBeLessThan(tokens);
          }
          const late = order.rows * 2;
          expect(new RowOrder(tokens, step, seed).tokenOf(late)).toBe(all[late]);
        },
      ),
    );
  });
});

describe("held-out text", () => {
  it("is the end of each document when there are few", () => {
    const file = fileOf([Array.from({ length: 100 }, (_, i) => i + 1), Array.from({ length: 20 }, () => 7)]);
    const { train, validation } = splitTokens(file, { kind: "share", value: 0.1 });
    expect([train.tokens, validation.tokens, train.documents]).toEqual([108, 12, 2]);
    const ids = new Int32Array(10);
    validation.read(0, ids, new Int32Array(10));
    expect([...ids]).toEqual([91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
  });

  it("is whole documents when there are many, and every token is in one part", () => {
    const file = fileOf(Array.from({ length: 1000 }, (_, i) => [i, i, i]));
    const { train, validation } = splitTokens(file, { kind: "tokens", value: 300 });
    expect(train.tokens + validation.tokens).toBe(3000);
    expect(validation.tokens % 3).toBe(0);
    expect(Math.abs(validation.tokens - 300)).toBeLessThan(150);
  });

  it("may be nothing", () => {
    const { train, validation } = splitTokens(fileOf([[1, 2, 3]]), { kind: "share", value: 0 });
    expect([train.tokens, validation.tokens]).toEqual([3, 0]);
  });
});

describe("a token file that shrinks in use", () => {
  it("is an error, not zeros", () => {
    const file = fileOf([[1, 2, 3, 4, 5, 6, 7, 8]]);
    const view = wholeView(file);
    writeFileSync(file.path, Buffer.alloc(6));
    expect(() => readRow(view, 0, plain)).toThrow(expect.objectContaining({ code: "data-changed" }));
  });
});
