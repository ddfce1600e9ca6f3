/** What attentions mean that no node can hold is refused at its line, phase by phase, and never left out in silence. */
import { describe, expect, it } from "vitest";
import { join } from "node:path";
import { instantiateAttention } from "../../compiler/check/instantiate-attention.ts";
import { instantiateRotation } from "../../compiler/check/instantiate-rotation.ts";
import { checkSpec, compileRecipe } from "../../compiler/compile.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { splitWeight } from "../../compiler/lower/split-weight.ts";
import { methodSetting } from "../methods/support.ts";
import { diskHost, root } from "../support/check-text.ts";

const path = join(root, "tests/check/spec.lctx");

/** What is refused of an attention with these clauses, and the text that is pointed at. */
function refused(body: string): readonly (readonly [string, string])[] {
  const text = `import std.masks { causal }

attention A() {
  ${body}
}

model Small = decoder { vocab 64   layers 1   heads 2   width 8   length 32   attention A() }
`;
  const { project, diagnostics } = checkSpec(path, text, diskHost);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  expect(errors.map(({ code, title }) => `${code}: ${title}`)).toEqual([]);
  const model = project!.models.get("Small")!;
  const method = methodSetting(model, "attention");
  const rotation = (size: number) => instantiateRotation(methodSetting(model, "rope"), size, new Reporter());
  const shape = { heads: 2, kvHeads: 2, headSize: 4, length: 32, rotation };
  const { unsupported, weight } = instantiateAttention(method, shape, new Reporter())!.phases.training;
  const reason = weight === null ? null : splitWeight(weight.value).reason;
  return [
    ...unsupported.map(({ what, span }) => [what, text.slice(span.start, span.end)] as const),
    ...(reason === null ? [] : [[reason, text.slice(weight!.span.start, weight!.span.end)] as const]),
  ];
}

const p = "let p[h, q, k] = softmax[k if causal] s";

const total = "let total[h, q] = sum[k if causal] exp(s)";
const throughFold = "training through a sum or an extreme over pairs, which passes no gradient,";
const noQuotient = "a sum of exponentials that `exp` of the same is not divided by";

describe("refused", () => {
  it.each([
    [
      "a score of products of its own",
      "let other[h, q, k] = dot[d](Q, K)  mask causal  score = s + other",
      [["products of other queries and keys", "s + other"]],
    ],
    [
      "a score of weights",
      `${p}  mask causal  score = s * p`,
      [["a softmax over keys outside `weight` and `teach`", "s * p"]],
    ],
    [
      "a product of two softmaxes",
      `${p}  mask causal  weight = p * p`,
      [["a product of two softmaxes over the row", "p * p"]],
    ],
    [
      "a function of a softmax",
      `${p}  mask causal  weight = exp(p)`,
      [["this function of a softmax in `weight`", "exp(p)"]],
    ],
    [
      "a weight by other queries and keys",
      "let other[h, q, k] = softmax[k if causal] dot[d](Q, K)  mask causal  weight = other",
      [["products of other queries and keys", "other"]],
    ],
    [
      "a score beside a weight",
      `${p}  mask causal  score = 2 * s  weight = p`,
      [["`score` beside `weight`", "weight = p"]],
    ],
    [
      "a softmax in another's body",
      "mask causal  weight = 0.5 * softmax[k if causal] s + softmax[k if causal and q - k < 3] s",
      [
        [
          "a softmax in the body of another (a body runs on to the right: write `(softmax[…] s) + …`)",
          "softmax[k if causal] s + softmax[k if causal and q - k < 3] s",
        ],
      ],
    ],
    [
      "a gradient through a sum over pairs, in a score",
      `${total}  mask causal  score = s - log(total[h, k])`,
      [[throughFold, "score = s - log(total[h, k])"]],
    ],
    [
      "a gradient through a sum over pairs that a table is made of",
      `let most[h, q] = max[k if causal] s  let x[h, q] = most * most  mask causal  score = s - x[h, k]`,
      [[throughFold, "score = s - x[h, k]"]],
    ],
    [
      "a denominator of other exponentials",
      `${total}  mask causal  weight = exp(2 * s) / (1 + total)`,
      [[noQuotient, "exp(2 * s) / (1 + total)"]],
    ],
    [
      "a sum of exponentials that is a factor",
      `${total}  mask causal  weight = exp(s) * total`,
      [[noQuotient, "exp(s) * total"]],
    ],
    [
      "a denominator at another query",
      `${total}  mask causal  weight = exp(s) / (1 + total[h, k])`,
      [[noQuotient, "exp(s) / (1 + total[h, k])"]],
    ],
    [
      "a denominator that differs by key",
      `${total}  mask causal  weight = exp(s) / (1 + ordinal(k) + total)`,
      [["a denominator that differs by key", "exp(s) / (1 + ordinal(k) + total)"]],
    ],
    [
      "a denominator with a term that is not positive",
      `${total}  mask causal  weight = exp(s) / (total - 1)`,
      [["a denominator with a term that is not positive", "exp(s) / (total - 1)"]],
    ],
    [
      "a denominator of fewer keys than the mask shows",
      "let total[h, q] = sum[k if causal and q - k < 4] exp(s)  mask causal  weight = exp(s) / (1 + total)",
      [["a denominator that leaves out keys which `mask` shows", "weight = exp(s) / (1 + total)"]],
    ],
    [
      "a sum up to a position of what differs by that position",
      "let a[h, q] = sum[d] Q  let x[h, q] = sum[k if k <= q] a[h, q] + a[h, k]  mask causal  score = s + x[h, k]",
      [["a table of queries × keys", "sum[k if k <= q] a[h, q] + a[h, k]"]],
    ],
    [
      "shares of logits",
      "let r[h, q, k] = normalize[k if causal] s  mask causal  weight = r",
      [["`normalize` over pairs of a query and a key", "normalize[k if causal] s"]],
    ],
    [
      "a sum over queries of other pairs",
      "let x[h, q] = max[k] (s[h, q, k] * s[h, k, q])  select best[h] from q by x top 2  mask causal or q == k and k in best[h]",
      [["logits of two pairs at once", "max[k] (s[h, q, k] * s[h, k, q])"]],
    ],
    [
      "keys that turn with the query, each its own way",
      "mask causal  rotate q at q, k at max(ordinal(k), ordinal(q) - 8)",
      [
        [
          "a rotation of a query and a key together, other than alike for all keys of a block,",
          "rotate q at q, k at max(ordinal(k), ordinal(q) - 8)",
        ],
      ],
    ],
    [
      "a choice by what it rotates",
      `blocks c by 8  ${p}  select kept[h] from c by sum[q, k in c] p top 2
  mask causal and (c(k) == c(q) or c(k) in kept[h])
  rotate x at rank(c(x) in kept[h]) * 8 + offset(x in c)`,
      [
        ["a logit that is rotated by what it chooses", "sum[q, k in c] p"],
        ["this rotation", "rotate x at rank(c(x) in kept[h]) * 8 + offset(x in c)"],
        ["this expression", "mask causal and (c(k) == c(q) or c(k) in kept[h])"],
      ],
    ],
    [
      "a choice by a logit whose queries turn",
      `blocks c by 8  rotate q at ordinal(q) - 2 * ordinal(c(k)), k at offset(k in c)
  select kept[h, q] from k by s top 4 where k <= q  mask causal and k in kept[h, q]`,
      [["a choice by a logit whose queries turn by blocks of keys", "s"]],
    ],
    [
      "a teacher that learns",
      "blocks c by 8  param w[h, d]  let x[h, c] = softmax[c] sum[d] (mean[k in c] K) * w  teach x by kl from softmax[c] sum[d] (max[k in c] K) * w  mask causal",
      [
        [
          "a teacher that could learn from what it teaches",
          "teach x by kl from softmax[c] sum[d] (max[k in c] K) * w",
        ],
      ],
    ],
  ] as const)("%s", (_, body, expected) => {
    expect(refused(body)).toEqual(expected);
  });

  it("nothing of a method that nodes hold", () => {
    expect(
      refused(
        `${p}  select most[h] from k by sum[q] p top 4 always k < 2  mask causal and (k in most[h] or q - k < 4)`,
      ),
    ).toEqual([]);
  });
});

describe("a loss of teachers", () => {
  const codes = (clauses: string, adapt: string, loss = "teach"): readonly string[] => {
    const text = `import std.masks { causal }

attention A() {
  blocks i by 4
  blocks j by 4
  param w[h, d]
  let p[h, q, k] = softmax[k if causal] s
  let gate[h, i, j] = softmax[j if j <= i] sum[d] (mean[q in i] Q) * (mean[k in j] K) * w
  mask causal
  ${clauses}
}

model Small = decoder { vocab 64   layers 1   heads 2   width 8   length 32   attention A() }
${adapt}
train Small {
  data       tokens "text.txt"
  loss       ${loss}
  optimizer  adamw(lr: 1e-3)
  schedule   constant over 10
  batch      2 sequences
}
`;
    const { project, diagnostics } = checkSpec(path, text, diskHost);
    expect(diagnostics.map(({ code, title }) => `${code}: ${title}`)).toEqual([]);
    const reporter = new Reporter();
    compileRecipe(project!.recipes.get("Small")!, reporter);
    return reporter.diagnostics.map(({ code }) => code);
  };
  const teach = "teach gate by kl from normalize[j] (max[q in i, k in j] p)";

  it("is built where it reaches all that trains", () =>
    expect(codes(teach, "adapt Small { train attn.w }")).toEqual([]));
  it("is refused for weights that it does not reach", () =>
    expect(codes(teach, "")).toEqual(["teach-leaves-weights"]));
  it("is named where the loss of the next token cannot train what only a teacher reads", () =>
    expect(codes(teach, "adapt Small { train attn.w }", "next_token")).toEqual(["loss-leaves-weights"]));
  it("is refused without a teacher for the validation text", () =>
    expect(codes(`when training { ${teach} }`, "adapt Small { train attn.w }")).toEqual([
      "teach-not-evaluated",
    ]));
});
