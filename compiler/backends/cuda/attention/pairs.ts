/** Device functions of one attention's query-key pairs: mask, score, slopes, regions, and the blocks worth visiting. */
import type { CudaArgument, LaunchSize } from "../../../../runtime/device/cuda/launch.ts";
import type { BlockFacts, MaskFacts, Truth } from "../../../ir/block-facts.ts";
import { real, someExpr, type Expr, type ExprType } from "../../../ir/expr.ts";
import type {
  AttentionGradientNode,
  AttentionNode,
  Axis,
  LoadingPart,
  Node,
  PairCore,
} from "../../../ir/graph.ts";
import { axisExtent } from "../../../ir/axis-extent.ts";
import { isTokenAxis } from "../../../ir/graph-axes.ts";
import { c, identifier, joinFragments, type Fragment } from "../../../ir/kernel.ts";
import { cudaPrinter, typeNames, type CudaLeaves } from "../print-expr.ts";
import { partsText } from "./parts.ts";
import { keyText, printRanges, rangesText } from "./ranges.ts";
import { setRead, setsText } from "./sets.ts";
import { maskWord, wordsText } from "./see-words.ts";
import { tablesOf, type CudaTable } from "./tables.ts";

export type AnyAttention = AttentionNode | AttentionGradientNode;

/** Axes [b, rows, …] of a side. */
type Sided = Pick<Node, "axes">;

export interface MoreFunction {
  readonly name: Fragment;
  readonly of: "pair" | "logit";
  readonly value: Expr;
}

/** What the functions are made of: an attention, its gradient, or a fold over pairs. */
export type PairSource = Pick<PairCore, "mask" | "buffers"> & {
  readonly regions: readonly { readonly query: Sided; readonly key: Sided; readonly when: Expr }[];
  /** Real over the logit: the score, or the body of a fold. */
  readonly score: Expr;
  readonly sink?: Expr | null;
  /** Further functions: `(p, b, h, q, k)` of a pair, `(p, s, …)` with its logit, of the expression's type. */
  readonly more?: readonly MoreFunction[];
} & Partial<Pick<AttentionGradientNode, "scoreSlope" | "bufferGradients">>;

/** Text and arguments that a kernel skeleton puts together. */
export interface CudaPairs {
  /**
   * `struct lctx_pairs` and inline functions over it. Positions `q`, `k` are absolute, corners inclusive; `s` is the
   * scaled logit:
   * `bool lctx_see(p, b, h, q, k)`, `float lctx_score(p, s, b, h, q, k)`, `int lctx_region(p, b, h, q, k)`,
   * `bool lctx_all(p, b, h, q0, q1, k0, k1)` (no pair is hidden; `lctx_far` of two levels: all are far), `bool lctx_any(…)` (false: every pair is hidden),
   * `int lctx_block_region(p, b, h, q0, q1, k0, k1)` (−1: mixed),
   * `lctx_ranges lctx_key_ranges(p, b, h, q0, q1, block)`: blocks of keys that may be seen, and
   * `lctx_ranges lctx_query_ranges(p, b, h, k0, k1, block)`: blocks of query rows that may see;
   * `int lctx_next_block(r, from)`: the first block ≥ from, `LCTX_NO_BLOCK` past the last;
   * `int lctx_previous_block(r, from)`: the last block ≤ from, −1 before the first.
   * `float lctx_sink(p, b, h, q)`, −∞ without one.
   * For a gradient also `float lctx_slope(p, s, b, h, q, k)` and, for load n of the trained tables,
   * `int lctx_place_n(p, b, h, q, k)` (flat, inside the table) and `float lctx_place_slope_n(p, s, b, h, q, k)`.
   * By parts, `p.region` can be set: `lctx_see`, `lctx_all`, `lctx_any` and the ranges then hide what other regions take.
   */
  readonly functions: Fragment;
  /** Parameter declarations of the kernel, each ended by a comma: the fields of `lctx_pairs` in order. */
  readonly parameters: Fragment;
  /** `const lctx_pairs p = {…};` from those parameters. */
  readonly build: Fragment;
  /** Arguments for those parameters. Table n of the node is buffer `firstTable + n` of the call. */
  readonly arguments: readonly CudaArgument[];
  /** True when there is `unsigned lctx_see_word(p, b, h, q, k)`: bit i says whether key k + i is seen; k is a multiple of 32. */
  readonly seesWords: boolean;
  /** False when the score is the logit itself. */
  readonly scored: boolean;
  /** True when blocks in the ranges may be empty all the same, so `lctx_any` is worth asking. */
  readonly asksAny: boolean;
  /** Position of the first query. */
  readonly start: LaunchSize;
  /** Whether the row's denominator has a term of its own. */
  readonly sinks: boolean;
  /** Trained tables: the buffer of the node, its elements, and the loads that read it, of the score and of the sink. */
  readonly trained: readonly {
    readonly buffer: number;
    readonly elements: LaunchSize;
    readonly loads: readonly number[];
    readonly sinkLoads: readonly number[];
  }[];
  /** Which expression each load is of. */
  readonly parts: readonly LoadingPart[];
  /** True when places of the score's loads differ by query, so sums are kept for each row of a lane. */
  readonly placesByQuery: boolean;
}

const pairHead = (type: Fragment, name: Fragment, logit: boolean): Fragment =>
  c`LCTX_DEVICE ${type} ${name}(const lctx_pairs &p, ${logit ? c`float s, ` : c``}int b, int h, int q, ${logit ? c`lctx_key` : c`int`} k) {\n`;
const rectangleHead = (type: Fragment, name: Fragment): Fragment =>
  c`LCTX_DEVICE ${type} ${name}(const lctx_pairs &p, int b, int h, int q0, int q1, int k0, int k1) {\n`;
const unused: Fragment = c`  (void)p, (void)b, (void)h;\n`;

/** Names of the indices that a function has. */
const pairIndices = ["q", "k", "h"] as const;
const rectangleIndices = ["q0", "q1", "k0", "k1", "h"] as const;
type IndexName = (typeof pairIndices)[number] | (typeof rectangleIndices)[number];
const indexTexts: Readonly<Record<IndexName, Fragment>> = {
  q: c`q`,
  k: c`k`,
  h: c`h`,
  q0: c`q0`,
  q1: c`q1`,
  k0: c`k0`,
  k1: c`k1`,
};

const sizeFields: Readonly<Record<string, Fragment>> = {
  batch: c`p.batch`,
  length: c`p.length`,
  "query-length": c`p.queries`,
  "query-start": c`p.start`,
  step: c`p.step`,
};

/**
 * The functions over tables that follow one another from buffer `firstTable` of the call. Without facts there are none
 * of rectangles, ranges and regions; `byParts`: several regions are visited one at a time.
 */
export function cudaPairs(
  node: PairSource,
  facts: BlockFacts | null,
  firstTable: number,
  byParts = false,
): CudaPairs {
  const tables = tablesOf(node.buffers);
  const scalars: string[] = [];
  let asksSets = false;
  const leaves = (indices: readonly IndexName[], logit: boolean): CudaLeaves => ({
    index: (name) => {
      if (!(indices as readonly string[]).includes(name)) throw new Error(`no index ${name} here`);
      return indexTexts[name as IndexName];
    },
    size: (name) => {
      const field = sizeFields[name];
      if (field === undefined) throw new Error(`attention has no size ${name}`);
      return field;
    },
    scalar: (name) => {
      const at = scalars.includes(name) ? scalars.indexOf(name) : scalars.push(name) - 1;
      return c`p.${identifier("scalar", at)}`;
    },
    logit: () => {
      if (!logit) throw new Error("no logit here");
      return c`s`;
    },
    load: (buffer, at, type) => loadText(tables[buffer]!, at, type),
    set: (op, buffer, at) => {
      asksSets = true;
      return setRead(op, tables[buffer]!, at, (row) => flatPlace(tables[buffer]!, row));
    },
  });
  /** The body of a function that returns one expression. */
  const returns = (e: Expr, indices: readonly IndexName[], logit = false): Fragment => {
    const printer = cudaPrinter(leaves(indices, logit), "e");
    const value = printer.print(e);
    return c`${unused}${printer.take()}  return ${value};\n}\n`;
  };
  const truth = (name: Fragment, e: Expr): Fragment =>
    c`${rectangleHead(c`bool`, name)}  (void)q0, (void)q1, (void)k0, (void)k1;\n${returns(e, rectangleIndices)}`;

  const regions = node.regions.slice(0, -1);
  const bounds = (known: MaskFacts, name: (of: string) => Fragment): Fragment[] => [
    truth(name("lctx_all"), known.mask.all),
    truth(name("lctx_any"), known.mask.any),
  ];
  const ranges = (known: MaskFacts, name: (of: string) => Fragment): Fragment[] => [
    printRanges(name("lctx_key_ranges"), "q", known.keys, leaves(["q0", "q1", "h"], false)),
    printRanges(name("lctx_query_ranges"), "k", known.queries, leaves(["k0", "k1", "h"], false)),
  ];
  const region = (): Fragment =>
    printRegion(
      regions.map(({ when }) => when),
      returns,
    );
  const rectangles = (known: BlockFacts): Fragment[] =>
    byParts
      ? [
          region(),
          ...known.parts.flatMap((part, n) => {
            const name = (of: string): Fragment => identifier(`${of}_of`, n);
            return [...bounds(part, name), ...ranges(part, name)];
          }),
          partsText(known.parts.length),
        ]
      : [
          ...bounds(known, (of) => identifier(of)),
          ...(known.far === null ? [] : [truth(c`lctx_far`, known.far)]),
          region(),
          printBlockRegion(known.regions, truth),
          ...ranges(known, (of) => identifier(of)),
        ];
  const functions: Fragment[] = [
    c`${pairHead(c`bool`, byParts ? c`lctx_see_any` : c`lctx_see`, false)}  (void)q, (void)k;\n${returns(node.mask, pairIndices)}`,
    c`${pairHead(c`float`, c`lctx_score`, true)}  (void)q, (void)k, (void)s;\n${returns(node.score, pairIndices, true)}`,
    ...(facts === null ? [] : rectangles(facts)),
  ];
  const wordPrinter = cudaPrinter(leaves(pairIndices, false), "e");
  const word = maskWord(node.mask, { printer: wordPrinter, tables, place: flatPlace });
  if (word !== null)
    functions.push(
      c`${wordsText}${pairHead(c`unsigned`, c`lctx_see_word`, false)}  (void)q, (void)k;\n${unused}${wordPrinter.take()}  return ${word};\n}\n`,
    );
  const sink = node.sink ?? null;
  functions.push(
    c`LCTX_DEVICE float lctx_sink(const lctx_pairs &p, int b, int h, int q) {\n  (void)q;\n${returns(sink ?? real(-Infinity), ["q", "h"])}`,
  );
  for (const { name, of, value } of node.more ?? [])
    functions.push(
      c`${pairHead(typeNames[value.type], name, of === "logit")}  (void)q, (void)k${of === "logit" ? c`, (void)s` : c``};\n${returns(value, pairIndices, of === "logit")}`,
    );
  const trained: { buffer: number; elements: LaunchSize; loads: number[]; sinkLoads: number[] }[] = [];
  const parts: LoadingPart[] = [];
  let placesByQuery = false;
  if (node.scoreSlope !== undefined) {
    functions.push(
      c`${pairHead(c`float`, c`lctx_slope`, true)}  (void)q, (void)k, (void)s;\n${returns(node.scoreSlope, pairIndices, true)}`,
    );
    for (const { buffer, loads } of node.bufferGradients ?? []) {
      const table = tables[buffer]!;
      const own: { readonly loads: number[]; readonly sinkLoads: number[] } = { loads: [], sinkLoads: [] };
      for (const { indices, slope, part } of loads) {
        const count = parts.push(part) - 1;
        if (part !== "sink") placesByQuery ||= indices.some(readsQuery);
        const printer = cudaPrinter(leaves(pairIndices, false), "e");
        const place = flatPlace(
          table,
          indices.map((e) => printer.print(e)),
        );
        functions.push(
          c`${pairHead(c`int`, identifier("lctx_place", count), false)}  (void)q, (void)k;\n${unused}${printer.take()}  return ${table.rowPlace} + ${place};\n}\n`,
          c`${pairHead(c`float`, identifier("lctx_place_slope", count), true)}  (void)q, (void)k, (void)s;\n${returns(slope, pairIndices, true)}`,
        );
        (part === "sink" ? own.sinkLoads : own.loads).push(count);
      }
      trained.push({ buffer, elements: table.elements, ...own });
    }
  }

  // Rows of tokens count from the first query of the call; others, of blocks say, from 0.
  const [rows, keys] = [node.regions[0]!.query.axes[1]!, node.regions[0]!.key.axes[1]!];
  const start = isTokenAxis(rows) ? "query-start" : 0;
  const sizes: Readonly<Record<string, LaunchSize>> = {
    batch: "batch",
    length: "length",
    queries: isTokenAxis(rows) ? "query-length" : axisExtent(rows.size),
    start,
    step: "step",
    keys: keys.size.kind === "fixed" || ofBlocks(keys) ? axisExtent(keys.size) : "length",
  };
  const fields = [
    ...Object.entries(sizes).map(([name, value]) => ({
      type: c`int`,
      name: identifier(name),
      argument: { kind: "i32", value } as const,
    })),
    ...tables.flatMap((table, n) => [
      {
        type: table.dtype === "f32" ? c`const float *` : c`const int *`,
        name: identifier("table", n),
        argument: { kind: "pointer", buffer: firstTable + n } as const,
      },
      ...table.extents.flatMap((extent, axis) =>
        typeof extent === "number"
          ? []
          : [
              {
                type: c`int`,
                name: identifier("extent", n, axis),
                argument: { kind: "i32", value: extent } as const,
              },
            ],
      ),
    ]),
    ...scalars.map((name, n) => ({
      type: c`float`,
      name: identifier("scalar", n),
      argument: { kind: "f32", value: name } as const,
    })),
  ];
  const struct = c`struct lctx_pairs {\n${joinFragments(
    fields.map(({ type, name }) => c`  ${type} ${name};\n`),
    c``,
  )}${byParts ? c`  int region;\n` : c``}};\n`;
  const known: readonly MaskFacts[] = facts === null ? [] : byParts ? facts.parts : [facts];
  return {
    functions: c`${struct}${facts === null ? keyText : rangesText(known)}${asksSets ? setsText : c``}${joinFragments(functions, c``)}`,
    parameters: joinFragments(
      fields.map(({ type, name }) => c`${type} ${identifier("p")}_${name}, `),
      c``,
    ),
    build: c`${byParts ? c`` : c`const `}lctx_pairs p = {${joinFragments(
      fields.map(({ name }) => c`${identifier("p")}_${name}`),
      c`, `,
    )}${byParts ? c`, 0` : c``}};`,
    arguments: fields.map(({ argument }) => argument),
    seesWords: word !== null,
    scored: node.score.kind !== "logit",
    asksAny: known.some(({ keys: ofKeys, queries }) => !ofKeys.exact || !queries.exact),
    start,
    sinks: sink !== null,
    trained,
    parts,
    placesByQuery,
  };
}

const ofBlocks = ({ size }: Axis): boolean => size.kind === "length" && size.by !== 1;
const readsQuery = (e: Expr): boolean => someExpr(e, (part) => part.kind === "index" && part.name === "q");

function flatPlace(table: CudaTable, at: readonly Fragment[]): Fragment {
  let flat: Fragment = c`0`;
  at.forEach((index, n) => {
    const extent = table.extentText[n]!;
    flat = c`(${flat} * ${extent} + min(max(${index}, 0), ${extent} - 1))`;
  });
  return flat;
}

/** An element, each index kept inside its axis: a pair the mask hides may ask for any. */
function loadText(table: CudaTable, at: readonly Fragment[], type: ExprType): Fragment {
  const element = c`__ldg(${table.base} + ${flatPlace(table, at)})`;
  if (type === "bool") return c`(${element} != 0)`;
  const whole = table.dtype === "i32";
  if (whole === (type === "int")) return element;
  return whole ? c`((float)${element})` : c`__float2int_rz(${element})`;
}

function printRegion(
  whens: readonly Expr[],
  returns: (e: Expr, indices: readonly IndexName[]) => Fragment,
): Fragment {
  const tests = whens.map((when, n) => {
    const name = identifier("lctx_in_region", n);
    return c`${pairHead(c`bool`, name, false)}  (void)q, (void)k;\n${returns(when, pairIndices)}`;
  });
  const choices = whens.map(
    (_, n) => c`  if (${identifier("lctx_in_region", n)}(p, b, h, q, k)) return ${n};\n`,
  );
  return c`${joinFragments(tests, c``)}${pairHead(c`int`, c`lctx_region`, false)}  (void)q, (void)k;\n${unused}${joinFragments(choices, c``)}  return ${whens.length};\n}\n`;
}

function printBlockRegion(truths: readonly Truth[], truth: (name: Fragment, e: Expr) => Fragment): Fragment {
  const tests = truths.map(
    ({ all, any }, n) =>
      c`${truth(identifier("lctx_all_region", n), all)}${truth(identifier("lctx_any_region", n), any)}`,
  );
  const at = c`(p, b, h, q0, q1, k0, k1)`;
  const choices = truths.map(
    (_, n) =>
      c`  if (${identifier("lctx_all_region", n)}${at}) return ${n};\n  if (${identifier("lctx_any_region", n)}${at}) return -1;\n`,
  );
  return c`${joinFragments(tests, c``)}${rectangleHead(c`int`, c`lctx_block_region`)}  (void)q0, (void)q1, (void)k0, (void)k1;\n${unused}${joinFragments(choices, c``)}  return ${truths.length};\n}\n`;
}
