/** Random attentions as text that choose blocks, tokens or diagonals, weigh, turn, and teach: each with the features it has. */
import fc from "fast-check";
import { indices, softScores, teachers } from "./random-learned.ts";
import { blockOf, limitOf, type Routing, type Setting } from "./routing-parts.ts";

export type { Routing } from "./routing-parts.ts";

/** What a block is about, `rep[h, c, d]`. */
const summaries: readonly { readonly lines: readonly string[]; readonly feature: string }[] = [
  ...(["mean", "max", "min"] as const).map((op) => ({
    lines: [`let rep[h, c, d] = ${op}[k in c] K`],
    feature: `${op} of blocks`,
  })),
  {
    lines: [
      "let local[h, q, d] = attend[k if c(k) == c(q)] (Q, K, V)",
      "let gist[h, c, d] = mean[q in c] local",
      "let rep[h, c, d] = attend[k in c] (gist, K, K)",
    ],
    feature: "attended blocks",
  },
];

/** The choice of blocks for each token and head; then ranks can turn. */
const blocksByToken = (at: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(
      blockOf(at),
      fc.constantFrom(...summaries, null),
      limitOf("kept", 4, true, [-0.4, 0, 0.3], "q"),
      fc.constantFrom("c == c(q)", "c == 0 or c(q) - c <= 1"),
    )
    .map(([n, summary, limit, always]) => ({
      lines: [
        `blocks c by ${n}`,
        ...limit.before,
        ...(summary?.lines ?? []),
        `select kept[h, q] from c by ${summary === null ? "s[h, q, last(c)]" : "dot[d](Q, rep)"} ${limit.text} always ${always} where c <= c(q)`,
      ],
      mask: "c(k) in kept[h, q]",
      features: [
        "blocks by token and head",
        ...limit.features,
        summary?.feature ?? "the last key of a block",
      ],
      ...(summary === null ? {} : { turnsBy: n }),
    }));

const blocksByBlock = (at: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(
      blockOf(at),
      blockOf(at),
      limitOf("kept", 4, true, [-0.4, 0, 0.1], "i"),
      fc.constantFrom("mean", "max"),
      fc.constantFrom("mean", "min"),
      fc.constantFrom("summaries", "maxima", "masses"),
    )
    .map(([n, m, limit, ofQueries, ofKeys, by]) => {
      const bodies = {
        summaries: `dot[d](${ofQueries}[q in i] Q, ${ofKeys}[k in c] K)`,
        maxima: "max[q in i, k in c] p",
        masses: "sum[q in i, k in c] p",
      };
      return {
        lines: [
          `blocks i by ${m}`,
          `blocks c by ${n}`,
          ...limit.before,
          ...(by === "summaries" ? [] : ["let p[h, q, k] = softmax[k if causal] s"]),
          `select kept[h, i] from c by ${bodies[by as keyof typeof bodies]} ${limit.text} where first(c) <= last(i)`,
        ],
        mask: "(k == q or c(k) in kept[h, i(q)])",
        features: [
          "blocks by block of queries",
          ...limit.features,
          ...(by === "maxima"
            ? ["maxima of tiles"]
            : by === "masses"
              ? ["mass of tiles"]
              : [`${ofKeys} of blocks`]),
        ],
      };
    });

const blocksForAllHeads = (at: Setting): fc.Arbitrary<Routing> =>
  fc.tuple(blockOf(at), limitOf("kept", 3, false, [0], "q"), fc.boolean()).map(([n, limit, byMass]) => ({
    lines: byMass
      ? [
          `blocks c by ${n}`,
          "let p[h, q, k] = softmax[k if causal] s",
          `select kept[q] from c by sum[h, k in c] p ${limit.text}`,
        ]
      : [
          `blocks c by ${n}`,
          "let ofq[q, d] = mean[h] Q",
          "let ofc[c, d] = mean[h, k in c] K",
          `select kept[q] from c by dot[d](ofq, ofc) ${limit.text} where c <= c(q)`,
        ],
    mask: "(k == q or c(k) in kept[q])",
    features: ["blocks by token", ...limit.features, byMass ? "mass of blocks" : "mean of blocks"],
  }));

const columnsAndDiagonals = ({ heads, length }: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(
      fc.integer({ min: 1, max: length + 2 }),
      limitOf("columns", 4, heads > 1, [0.1, 0.5]),
      limitOf("slashes", 4, heads > 1, [0.1, 0.5]),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom("both", "columns", "diagonals"),
    )
    .map(([probe, columns, slashes, first, which]) => {
      const both = [
        ...(which === "diagonals"
          ? []
          : [
              ...columns.before,
              `select columns[h] from k by sum[q if tail(q)] p ${columns.text} always k < ${first - 1}`,
            ]),
        ...(which === "columns"
          ? []
          : [
              ...slashes.before,
              `select slashes[h] from o by sum[q, k if tail(q) and q - k == o] p ${slashes.text} always o < ${first}`,
            ]),
      ];
      const masks = {
        both: "(k in columns[h] or q - k in slashes[h])",
        columns: "(k == q or k in columns[h])",
      };
      return {
        lines: [
          ...(which === "columns" ? [] : ["diagonals o = q - k"]),
          `let tail(q) = q >= length - ${probe}`,
          "let p[h, q, k] = softmax[k if causal] s",
          ...both,
        ],
        mask: which === "diagonals" ? "q - k in slashes[h]" : masks[which as keyof typeof masks],
        features: [
          ...(which === "columns" ? [] : ["sums of diagonals", "diagonals", ...slashes.features]),
          ...(which === "diagonals" ? [] : ["sums of columns", "tokens by head", ...columns.features]),
          "last rows",
        ],
      };
    });

const tokens = ({ heads }: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(
      limitOf("kept", 5, heads > 1, [-0.3, 0.2]),
      fc.constantFrom("logit", "dot", "max", "mean", "min"),
      fc.boolean(),
    )
    .map(([limit, by, ranked]) => {
      if (by === "logit" || by === "dot")
        return {
          lines: [
            ...limit.before,
            `select kept[h, q] from k by ${by === "logit" ? "s" : "dot[d](Q, K)"} ${limit.text} always k == q where k <= q`,
            ...(ranked ? ["score = s - 0.125 * rank(k in kept[h, q])"] : []),
          ],
          mask: "k in kept[h, q]",
          features: [
            "tokens by token and head",
            ...limit.features,
            ...(ranked ? ["ranks in the score"] : []),
          ],
        };
      const body = by === "max" ? "max[q] p" : `${by}[q if q >= k] s`;
      return {
        lines: [
          ...limit.before,
          ...(by === "max" ? ["let p[h, q, k] = softmax[k if causal] s"] : []),
          `select kept[h] from k by ${body} ${limit.text}`,
        ],
        mask: "(k == q or k in kept[h])",
        features: ["tokens by head", ...limit.features, `${by} of columns`],
      };
    });

/** Two levels, shares of a softmax, their differences, and sigmoids; `seen` is the routing that shares the keys out. */
const weights = (at: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(fc.constantFrom("two levels", "first", "gain", "difference", "sigmoid", "bent"), blockOf(at))
    .map(([kind, n]) => {
      const p = "let p[h, q, k] = softmax[k if causal] s";
      const levels = (edge: string): string[] => [
        `blocks c by ${n}`,
        `let gate(k) = k == ${edge}(c(k))`,
        "let here(q, k) = c(q) == c(k)",
        "let near[h, q, k] = softmax[k if causal and (here(q, k) or gate(k))] s",
        "let far[h, q, k] = softmax[k per c if not gate(k)] s",
        `weight = if here(q, k) then near[h, q, k] else if gate(k) then 0 else near[h, q, ${edge}(c(k))] * far[h, q, k]`,
      ];
      const lines: Readonly<Record<string, readonly string[]>> = {
        "two levels": levels("last"),
        first: levels("first"),
        gain: [p, "param gain[h] = constant(1)", "weight = p * gain[h]"],
        difference: [
          p,
          `let r[h, q, k] = softmax[k if causal and q - k < ${n}] 0.5 * s`,
          "param part[h] = zeros",
          "weight = p - part[h] * r",
        ],
        sigmoid: ["param bias[h] = zeros", "weight = sigmoid(s + bias[h])"],
        bent: [p, "weight = p * (1 + tanh(s))"],
      };
      const names: Readonly<Record<string, string>> = {
        "two levels": "a weight of two levels",
        first: "a weight of two levels",
        gain: "a learned factor of a softmax",
        difference: "a difference of softmaxes",
        sigmoid: "sigmoid weights",
        bent: "a softmax times a function of the logit",
      };
      return { lines: lines[kind]!, mask: null, features: [names[kind]!] };
    });

/** Any of them, some with rotations of their own. */
export const randomRouting = (at: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(
      fc.oneof(
        { weight: 4, arbitrary: blocksByToken(at) },
        { weight: 3, arbitrary: blocksByBlock(at) },
        { weight: 1, arbitrary: blocksForAllHeads(at) },
        { weight: 3, arbitrary: columnsAndDiagonals(at) },
        { weight: 3, arbitrary: tokens(at) },
        { weight: 3, arbitrary: weights(at) },
        { weight: 2, arbitrary: teachers(at) },
        { weight: 1, arbitrary: indices(at) },
        { weight: 3, arbitrary: softScores(at) },
      ),
      fc.constantFrom("ranks", "ranks", "ranks", "region", "region", "none"),
      fc.integer({ min: 1, max: 12 }),
    )
    .map(([routing, turn, n]): Routing => {
      if (turn === "ranks" && routing.turnsBy !== undefined)
        return {
          ...routing,
          lines: [
            ...routing.lines,
            `rotate x at rank(c(x) in kept[h, q]) * ${routing.turnsBy} + offset(x in c)`,
          ],
          features: [...routing.features, "turns by ranks"],
        };
      // A choice by the logit has one rotation.
      if (
        turn !== "region" ||
        routing.lines.some((line) => /\b[sp]\b/.test(line.replace(/^score.*|^weight.*/, "")))
      )
        return routing;
      const byBlocks = routing.turnsBy !== undefined && n % 4 !== 0;
      const line = byBlocks
        ? `rotate q at ordinal(q) - ordinal(c(k)) * ${n}, k at offset(k in c) where q - k >= ${n}`
        : `rotate q at min(q, ${n}), k at 0 where q - k >= ${n}`;
      return {
        ...routing,
        lines: [...routing.lines, line],
        features: [...routing.features, byBlocks ? "turns by blocks of keys" : "a rotation of its own"],
      };
    });
