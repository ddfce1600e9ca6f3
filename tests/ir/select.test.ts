/** Selections and sets by hand: order, ties, NaN, forced candidates, short and empty rows, ranks. */
import { describe, expect, it } from "vitest";
import { evaluateExpr } from "../../compiler/ir/evaluate-expr.ts";
import * as e from "../../compiler/ir/expr.ts";
import { fixedSize, lengthSize } from "../../compiler/ir/graph-axes.ts";
import { selectNode, type SelectParts } from "../../compiler/ir/graph-build-pairs.ts";
import { axis, graphOf, mapNode } from "../../compiler/ir/graph-build.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { b, h, k, membersOf, q, repeated, t, wave } from "../support/pair-cases.ts";

const sizes = { batch: 1, length: 5 };

/** Chooses among six candidates whose bodies are given, for one row. */
function choose(bodies: readonly number[], parts: Partial<SelectParts>): number[] {
  const table = repeated("table", [axis("k", bodies.length)]);
  const node = selectNode(
    {
      body: e.load(0, [k]),
      where: e.bool(true),
      always: e.bool(false),
      choose: { kind: "top", count: e.int(2) },
      buffers: [table],
      candidates: fixedSize(bodies.length),
      ...parts,
    },
    { rows: null, heads: null },
    "select",
  );
  const inputs = new Map([["table", { shape: [bodies.length], data: Float64Array.from(bodies) }]]);
  return membersOf(interpret(graphOf({ logits: node }), inputs, sizes).get("logits")!)[0]!;
}

describe("a selection of the top", () => {
  const top = (n: number): Partial<SelectParts> => ({ choose: { kind: "top", count: e.int(n) } });
  it("takes the largest", () => expect(choose([1, 5, 3, 4, 2, 0], top(2))).toEqual([1, 3]));
  it("takes the lower of equal ones", () => expect(choose([1, 2, 2, 2, 1, 2], top(3))).toEqual([1, 2, 3]));
  it("takes NaN last, after −∞", () =>
    expect(choose([NaN, -Infinity, NaN, -1, -Infinity], top(4))).toEqual([0, 1, 3, 4]));
  it("takes all when there are fewer", () => expect(choose([3, NaN, 1], top(7))).toEqual([0, 1, 2]));
  it("takes none of nothing, and none for a count of 0 or less", () => {
    expect(choose([3, 2, 1], { where: e.bool(false), always: e.bool(true) })).toEqual([]);
    expect(choose([3, 2, 1], top(0))).toEqual([]);
    expect(choose([3, 2, 1], top(-2))).toEqual([]);
  });
  it("counts forced ones first, even more than the count", () => {
    expect(choose([1, 5, 3, 4, 2, 0], { ...top(2), always: e.lt(k, e.int(1)) })).toEqual([0, 1]);
    expect(choose([1, 5, 3, 4, 2, 0], { ...top(2), always: e.le(e.int(3), k) })).toEqual([3, 4, 5]);
  });
  it("never takes one that does not exist, though forced", () =>
    expect(choose([9, 8, 7, 6], { ...top(2), where: e.le(e.int(1), k), always: e.lt(k, e.int(2)) })).toEqual([
      1, 2,
    ]));
});

describe("a selection above a threshold", () => {
  const above = (threshold: number): Partial<SelectParts> => ({
    choose: { kind: "above", threshold: e.real(threshold) },
  });
  it("takes what exceeds it, not what equals it, and never NaN", () =>
    expect(choose([1, 2, NaN, 3, Infinity, -Infinity], above(2))).toEqual([3, 4]));
  it("takes forced ones too", () =>
    expect(choose([1, NaN, 5, 0], { ...above(4), always: e.lt(k, e.int(2)) })).toEqual([0, 1, 2]));
});

describe("a selection for each row and head", () => {
  const [heads, candidates] = [axis("h", 2), lengthSize(0, 2)];
  const query = wave([b, t, heads, axis("d", 3)], 3);
  const key = wave([b, axis("y", candidates), axis("g", 1), axis("d", 3)], 4);
  const parts: SelectParts = {
    query,
    key,
    scale: 0.5,
    body: e.logit,
    where: e.le(e.mul(k, e.int(2)), q),
    always: e.eq(k, e.int(0)),
    choose: { kind: "top", count: e.add(h, e.int(1)) },
    buffers: [],
    candidates,
  };
  const node = selectNode(parts, { rows: t, heads }, "select");

  it.each([1, 2, 64, 65, 70])("agrees with sorting, length %i", (length) => {
    const outputs = { logits: node, query, key };
    const found = interpret(graphOf(outputs), new Map(), { batch: 2, length });
    const sets = membersOf(found.get("logits")!);
    const [queries, keys] = [found.get("query")!.data, found.get("key")!.data];
    const count = Math.ceil(length / 2);
    expect(found.get("logits")!.shape).toEqual([2, length, 2, Math.ceil(count / 32)]);
    for (let batch = 0; batch < 2; batch++)
      for (let row = 0; row < length; row++)
        for (let head = 0; head < 2; head++) {
          const at = (batch * length + row) * 2 + head;
          const dot = (n: number): number =>
            [0, 1, 2].reduce((sum, i) => sum + queries[at * 3 + i]! * keys[(batch * count + n) * 3 + i]!, 0);
          const seen = Array.from({ length: count }, (_, n) => n).filter((n) => 2 * n <= row);
          const rest = seen.filter((n) => n !== 0).sort((x, y) => dot(y) - dot(x));
          expect(sets[at]).toEqual([0, ...rest.slice(0, head)].sort((x, y) => x - y));
        }
  });

  it("counts rows of tokens from query-start, other rows from 0", () => {
    const rowsOf = (rows: typeof t): number[][] => {
      const own: SelectParts = {
        body: e.real(0),
        where: e.bool(true),
        always: e.eq(k, q),
        choose: { kind: "top", count: e.int(0) },
        buffers: [],
        candidates: fixedSize(6),
      };
      const made = selectNode(own, { rows, heads: null }, "select");
      const found = interpret(graphOf({ logits: made }), new Map(), {
        batch: 1,
        length: 4,
        "query-start": 1,
      });
      return membersOf(found.get("logits")!);
    };
    expect(rowsOf(t)).toEqual([[1], [2], [3], [4]]);
    expect(rowsOf(axis("r", 2))).toEqual([[0], [1]]);
    expect(rowsOf(axis("t", lengthSize(0, 2)))).toEqual([[0], [1]]);
  });

  it("is shared by rows, or by heads, on demand", () => {
    const own = { ...parts, query: null, key: null, where: e.bool(true), body: e.toReal(e.neg(k)) };
    const shape = (rows: typeof t | null, over: typeof t | null, made = own): readonly number[] => {
      const node = selectNode(made, { rows, heads: over }, "select");
      return interpret(graphOf({ logits: node }), new Map(), sizes).get("logits")!.shape;
    };
    expect(shape(null, heads)).toEqual([1, 2, 1]);
    expect(shape(t, null)).toEqual([1, 5, 1]);
    expect(shape(null, null)).toEqual([1, 1]);
  });

  it("is refused when queries and rows differ", () => {
    const wrong =
      (over: Parameters<typeof selectNode>[1]): (() => Node) =>
      () =>
        selectNode(parts, over, "s");
    expect(wrong({ rows: null, heads })).toThrow(/queries are not the rows/);
    expect(wrong({ rows: t, heads: null })).toThrow(/queries have other heads/);
    expect(() => selectNode({ ...parts, key: null }, { rows: t, heads }, "s")).toThrow(/query without a key/);
    expect(() => selectNode({ ...parts, query: null, key: null }, { rows: t, heads }, "s")).toThrow(
      /reads the logit/,
    );
    // How many may hang on the row, where there are rows, and never on a candidate.
    const counted = (count: typeof q, rows: typeof t | null) => (): Node => {
      const own = { ...parts, query: null, key: null, body: e.toReal(e.neg(k)) };
      return selectNode({ ...own, choose: { kind: "top", count } }, { rows, heads }, "s");
    };
    expect(counted(q, t)).not.toThrow();
    expect(counted(k, t)).toThrow(/reads index k/);
    expect(counted(q, null)).toThrow(/reads index q/);
  });
});

describe("sets", () => {
  // Two rows of two words: members 0, 31, 33 and 63; member 32.
  const words = [
    [(1 | (1 << 31)) >>> 0, 2 | (1 << 31) | 0],
    [0, 1],
  ];
  const values = {
    load: (_: number, [row, word]: readonly number[]) => words[row!]![word!]!,
    words: () => 2,
  };
  const ask = (op: "member" | "rank", row: number, element: number): number =>
    evaluateExpr(e.setRead(op, 0, [e.int(row)], e.int(element)), values);
  it("know their members, and none outside", () => {
    const members = (row: number): number[] =>
      Array.from({ length: 140 }, (_, n) => n - 40).filter((n) => ask("member", row, n) === 1);
    expect(members(0)).toEqual([0, 31, 33, 63]);
    expect(members(1)).toEqual([32]);
  });
  it("count the members below an element", () => {
    expect([-1, 0, 1, 31, 32, 33, 34, 63, 64, 1000].map((n) => ask("rank", 0, n))).toEqual([
      0, 0, 1, 1, 2, 2, 3, 3, 4, 4,
    ]);
    expect([0, 32, 33, 64].map((n) => ask("rank", 1, n))).toEqual([0, 0, 1, 1]);
  });
  it("are read by maps of nothing else", () => {
    expect(() => mapNode([], e.rank(0, [], e.int(1)), "m", [t])).toThrow(/reads set 0 of 0/);
  });
});
