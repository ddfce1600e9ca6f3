/** Folds over pairs and log-sum-exps against plain loops: column and diagonal sums, tile maxima, last rows, odd lengths. */
import { describe, expect, it } from "vitest";
import * as e from "../../compiler/ir/expr.ts";
import { lengthSize } from "../../compiler/ir/graph-axes.ts";
import { logSumExpNode, pairReduceNode } from "../../compiler/ir/graph-build-pairs.ts";
import { attentionNode, axis, graphOf, resultNode } from "../../compiler/ir/graph-build.ts";
import type { Node, PairCore } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpret.ts";
import { b, causal, floorDiv, h, k, q, t, wave, waveCore } from "../support/pair-cases.ts";

const block = 4;
const lengths = [1, block - 1, block, block + 1, 3 * block + 1];
const heads = axis("h", 2);
const keys = axis("y", lengthSize());
const capped = e.mul(e.real(2), e.unary("tanh", e.logit));

/** Runs nodes; then the logit of any pair, from queries and keys, is at hand. */
function run(core: PairCore, nodes: Readonly<Record<string, Node>>, length: number) {
  const { query, key } = core.regions[0]!;
  const sizes = { batch: 2, length };
  const found = interpret(graphOf({ ...nodes, query, key }), new Map(), sizes);
  const [x, y] = [found.get("query")!, found.get("key")!];
  const [rows, count, d] = [x.shape[1]!, y.shape[1]!, x.shape[3]!];
  const logit = (batch: number, row: number, col: number, head: number): number => {
    let total = 0;
    for (let i = 0; i < d; i++)
      total += x.data[((batch * rows + row) * 2 + head) * d + i]! * y.data[(batch * count + col) * d + i]!;
    return core.scale * total;
  };
  return { found, logit, rows, count };
}

const near = (given: ArrayLike<number>, want: readonly number[]): void => {
  expect(given.length).toBe(want.length);
  want.forEach((value, n) => {
    if (Number.isFinite(value)) expect(given[n]).toBeCloseTo(value, 12);
    else expect(given[n]).toBe(value);
  });
};
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe.each(lengths)("pairs of length %i", (length) => {
  const core = waveCore({ keys });
  const lse = logSumExpNode({ ...core, score: capped }, "lse");
  const withSize: PairCore = { ...core, buffers: [lse] };
  const weight = e.unary("exp", e.sub(capped, e.load(0, [q, h])));
  const { found, logit, count } = run(
    core,
    {
      lse,
      columns: pairReduceNode(
        "sum",
        withSize,
        weight,
        [
          { axis: heads, index: h },
          { axis: keys, index: k },
        ],
        "c",
      ),
      diagonals: pairReduceNode(
        "sum",
        withSize,
        weight,
        [{ axis: axis("u", lengthSize()), index: e.sub(q, k) }],
        "d",
      ),
      tiles: pairReduceNode(
        "max",
        core,
        e.logit,
        [
          { axis: axis("r", lengthSize(0, block)), index: floorDiv(q, block) },
          { axis: axis("c", lengthSize(0, block)), index: floorDiv(k, block) },
        ],
        "t",
      ),
      least: pairReduceNode("min", core, e.logit, [{ axis: heads, index: h }], "m"),
      last: pairReduceNode(
        "sum",
        { ...withSize, mask: e.and(causal, e.le(e.sub(e.size("length"), e.int(2)), q)) },
        weight,
        [{ axis: keys, index: k }],
        "l",
      ),
      whole: pairReduceNode("sum", withSize, weight, [], "w"),
    },
    length,
  );
  const score = (batch: number, row: number, col: number, head: number): number =>
    2 * Math.tanh(logit(batch, row, col, head));
  const size = (batch: number, row: number, head: number): number =>
    Math.log(range(row + 1).reduce((sum, col) => sum + Math.exp(score(batch, row, col, head)), 0));
  const share = (batch: number, row: number, col: number, head: number): number =>
    col > row ? 0 : Math.exp(score(batch, row, col, head) - size(batch, row, head));
  const sum = (values: readonly number[]): number => values.reduce((x, y) => x + y, 0);
  const rows = range(length);

  it("log-sum-exp", () =>
    near(
      found.get("lse")!.data,
      [0, 1].flatMap((n) => rows.flatMap((r) => [0, 1].map((g) => size(n, r, g)))),
    ));
  it("column sums by head", () => {
    near(
      found.get("columns")!.data,
      [0, 1].flatMap((n) =>
        [0, 1].flatMap((g) => range(count).map((c) => sum(rows.map((r) => share(n, r, c, g))))),
      ),
    );
  });
  it("diagonal sums over heads", () => {
    const along = (n: number, u: number): number =>
      sum(rows.filter((r) => r >= u).flatMap((r) => [0, 1].map((g) => share(n, r, r - u, g))));
    near(
      found.get("diagonals")!.data,
      [0, 1].flatMap((n) => rows.map((u) => along(n, u))),
    );
  });
  it("maxima of tiles: −∞ where the mask lets nothing through", () => {
    const tiles = range(Math.ceil(length / block));
    const inside = (tile: number): number[] => rows.filter((x) => Math.floor(x / block) === tile);
    const most = (n: number, r: number, c: number): number =>
      Math.max(
        -Infinity,
        ...inside(r).flatMap((x) =>
          inside(c).flatMap((y) => (y <= x ? [0, 1].map((g) => logit(n, x, y, g)) : [])),
        ),
      );
    near(
      found.get("tiles")!.data,
      [0, 1].flatMap((n) => tiles.flatMap((r) => tiles.map((c) => most(n, r, c)))),
    );
  });
  it("least logit of a head", () => {
    const seen = rows.flatMap((r) => range(r + 1).map((c) => [r, c] as const));
    near(
      found.get("least")!.data,
      [0, 1].flatMap((n) => [0, 1].map((g) => Math.min(...seen.map(([r, c]) => logit(n, r, c, g))))),
    );
  });
  it("the last two rows", () => {
    const late = rows.filter((r) => r >= length - 2);
    near(
      found.get("last")!.data,
      [0, 1].flatMap((n) =>
        range(count).map((c) => sum(late.flatMap((r) => [0, 1].map((g) => share(n, r, c, g))))),
      ),
    );
  });
  it("all mass: one a row and head", () => near(found.get("whole")!.data, [2 * length, 2 * length]));
});

describe("edges", () => {
  it("a log-sum-exp is attention's own", () => {
    const core = waveCore({ keys, groups: 2 });
    const value = wave([b, keys, axis("g", 2), axis("e", 3)], 5);
    const output = attentionNode({ ...core, value, score: capped, prepended: null }, "attention");
    const outputs = { lse: logSumExpNode({ ...core, score: capped }, "lse"), want: resultNode(output, 1) };
    const found = interpret(graphOf(outputs), new Map(), { batch: 2, length: 7 });
    near(found.get("lse")!.data, [...found.get("want")!.data]);
  });
  it("a row without keys has −∞; an element without pairs what the fold starts from", () => {
    const core = waveCore({ keys }, e.lt(k, q));
    const targets = [{ axis: t, index: q }];
    const outputs = {
      lse: logSumExpNode({ ...core, score: e.logit }, "lse"),
      sum: pairReduceNode("sum", core, e.logit, targets, "sum"),
      max: pairReduceNode("max", core, e.logit, targets, "max"),
      min: pairReduceNode("min", core, e.logit, targets, "min"),
    };
    const found = interpret(graphOf(outputs), new Map(), { batch: 1, length: 1 });
    expect(["lse", "sum", "max", "min"].map((name) => found.get(name)!.data[0])).toEqual([
      -Infinity,
      0,
      -Infinity,
      Infinity,
    ]);
  });
  it("a pair outside an axis is left out", () => {
    const core = waveCore({ keys }, e.bool(true));
    const made = pairReduceNode("sum", core, e.real(1), [{ axis: axis("u", 2), index: e.sub(q, k) }], "near");
    const found = interpret(graphOf({ logits: made }), new Map(), { batch: 1, length: 4 });
    expect([...found.get("logits")!.data]).toEqual([8, 6]);
  });
  it("rows of blocks count from 0, tokens from query-start", () => {
    const rowsAre = (rows: typeof t): number[] => {
      const core = waveCore({ rows, keys: axis("y", 1), heads: 1 }, e.bool(true));
      const made = pairReduceNode("max", core, e.toReal(q), [], "most");
      const found = interpret(graphOf({ logits: made }), new Map(), {
        batch: 1,
        length: 6,
        "query-start": 5,
      });
      return [...found.get("logits")!.data];
    };
    expect(rowsAre(t)).toEqual([10]);
    expect(rowsAre(axis("t", lengthSize(0, 2)))).toEqual([2]);
    expect(rowsAre(axis("r", 3))).toEqual([2]);
  });
});
