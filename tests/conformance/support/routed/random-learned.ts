/** Random attentions that learn more than which keys they see: gates with teachers, and tables of the text in the score. */
import fc from "fast-check";
import { blockOf, limitOf, type Routing, type Setting } from "./routing-parts.ts";

/** Gates that learn from the attention itself. */
export const teachers = (at: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(
      blockOf(at),
      fc.integer({ min: 1, max: 4 }),
      limitOf("kept", 3, true, [0.05, 0.3]),
      fc.constantFrom("rope", "plain"),
      fc.constantFrom("max", "sum"),
      fc.constantFrom("blocks", "tokens"),
      fc.boolean(),
    )
    .map(([n, half, limit, kind, fold, rows, turned]) => {
      const rope = kind === "rope" && rows === "blocks";
      const width = 2 * half;
      const member = rows === "blocks" ? "i(q)" : "q";
      const [row, same] = rows === "blocks" ? ["i", "j == i"] : ["q", "j == j(q)"];
      const dots = rope ? "dot[e](rope(gq at i), rope(gk at j))" : "dot[e](gq, gk)";
      const guard = rows === "blocks" ? "j <= i" : "j <= j(q)";
      return {
        lines: [
          ...(rows === "blocks" ? [`blocks i by ${n}`] : []),
          `blocks j by ${n}`,
          ...limit.before,
          `param wq[h, d, e: ${width}] = normal(0.5), wk[h, m: 3, d, e] = normal(0.5)`,
          "let pooled[h, j, m, d] = stack[m] (max[k in j] K, min[k in j] K, mean[k in j] K)",
          rows === "blocks"
            ? "let gq[h, i, e] = sum[d] (mean[q in i] Q) * wq"
            : "let gq[h, q, e] = sum[d] Q * wq",
          "let gk[h, j, e] = sum[m, d] pooled * wk",
          `let gate[h, ${row}, j] = softmax[j if ${guard}] ${dots} / sqrt(${width})`,
          "let p[h, q, k] = softmax[k if causal] s",
          `teach gate by kl from normalize[j] (${fold}[${rows === "blocks" ? "q in i, " : ""}k in j] p) scale 4`,
          `select kept[h, ${row}] from j by gate ${limit.text} always ${same}`,
          ...(turned ? [`rotate x at rank(j(x) in kept[h, ${member}]) * ${n} + offset(x in j)`] : []),
        ],
        mask: `j(k) in kept[h, ${member}]`,
        features: [
          "a teacher",
          "learned summaries",
          "blocks in pairs of axes",
          ...limit.features,
          ...(rope ? ["summaries that turn"] : []),
          ...(turned ? ["a teacher of turned logits"] : []),
          ...(fold === "max" && rows === "blocks" ? ["maxima of tiles"] : []),
        ],
        teaches: true,
      };
    });

/** Indices of tokens that learn from the attention itself, for each head or for all of them. */
export const indices = (at: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(
      fc.integer({ min: 1, max: 4 }),
      limitOf("kept", 6, false, [0.05, 0.3]),
      fc.constantFrom("heads", "all"),
      fc.constantFrom("rope", "plain"),
      fc.constantFrom("causal", "causal and q - k < 6", "k < q"),
      fc.constantFrom("", "2 * ", "0.5 * "),
      fc.integer({ min: 1, max: at.length }),
    )
    .map(([half, limit, whose, kind, guard, times, span]) => {
      const width = 2 * half;
      const each = whose === "heads" ? "h, " : "";
      const over = whose === "heads" ? "d" : "h, d";
      const turned = (name: string, index: string): string =>
        kind === "rope" ? `rope(${name} at ${index})` : name;
      const seen = guard === "k < q" ? guard : "causal";
      return {
        lines: [
          ...limit.before,
          `param wq[h, d, e: ${width}] = normal(0.5), wk[h, d, e] = normal(0.5)`,
          `let gq[${each}q, e] = sum[${over}] Q * wq`,
          `let gk[${each}k, e] = sum[${over}] K * wk`,
          `let index[${each}q, k] = softmax[k if ${seen}] ${times}dot[e](${turned("gq", "q")}, ${turned("gk", "k")})`,
          `let p[h, q, k] = softmax[k if ${guard}] ${times}s`,
          "teach index by kl from p scale 4 * length",
          `select kept[${each}q] from k by index ${limit.text} always q - k < ${span} where causal`,
        ],
        mask: `k in kept[${each}q]`,
        features: ["an index that is taught", ...limit.features],
        teaches: true,
      };
    });

/** Summaries and tables of the text in the score: what a selection does not stop has gradients. */
export const softScores = (at: Setting): fc.Arbitrary<Routing> =>
  fc
    .tuple(
      blockOf(at),
      fc.constantFrom("mean", "max", "min"),
      fc.constantFrom("blocks", "tokens", "chosen", "running", "turned"),
      fc.constantFrom("<", "<="),
      fc.constantFrom("k", "7", "5 * ordinal(h)", "k + ordinal(h)", "place[h]", "k - place[h]"),
    )
    .map(([n, op, kind, before, where]) => {
      const learned = "param w[h, d] = normal(0.5)";
      if (kind === "turned")
        return {
          lines: [
            `blocks c by ${n}`,
            `${learned}, place[h] = normal(3)`,
            `let lift[h, k] = sum[d] rope(K at ${where}) * rope(w at ${n})`,
            `let lot[h, c] = sum[d] rope(${op}[k in c] K at ${where.replaceAll("k", "c")}) * rope(w at place[h])`,
            "score = s + tanh(lift[h, k]) + tanh(lot[h, c(k)])",
          ],
          mask: null,
          features: ["tables rotated to places", `${op} of blocks`],
        };
      if (kind === "tokens")
        return {
          lines: [learned, "let lift[h, k] = sum[d] K * w", "score = s * sigmoid(lift[h, k]) + lift[h, q]"],
          mask: null,
          features: ["a table of tokens in the score"],
        };
      if (kind === "running")
        return {
          lines: [
            learned,
            "let lift[h, k] = sum[d] K * w",
            `let since[h, q] = sum[k if k ${before} q] lift[h, k]`,
            "score = s + tanh(since[h, q] - since[h, k])",
          ],
          mask: null,
          features: ["running sums in the score"],
        };
      return {
        lines: [
          `blocks c by ${n}`,
          learned,
          `let lift[h, c] = sum[d] (${op}[k in c] K) * w`,
          ...(kind === "chosen" ? ["select kept[h] from c by lift[h, c] top 2"] : []),
          "score = s + lift[h, c(k)]",
        ],
        mask: kind === "chosen" ? "(k == q or c(k) in kept[h])" : null,
        features: [
          "learned summaries in the score",
          `${op} of blocks`,
          ...(kind === "chosen" ? ["blocks by head"] : []),
        ],
      };
    });
