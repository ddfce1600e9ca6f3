/** The error gallery of the language: titles, labels, drawings and help read exactly as designed. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { render } from "../../compiler/diagnostics/render.ts";
import { SourceFile } from "../../compiler/source/source-file.ts";
import { checkText, root } from "../support/check-text.ts";

const path = join(root, "tests/check/gallery.lctx");

/** The rendered errors without the frame's own lines; the gutter keeps only the line numbers. */
function errorsOf(text: string): string[] {
  const source = new SourceFile(path, text);
  return checkText(text, path)
    .filter((diagnostic) => diagnostic.severity === "error")
    .map((diagnostic) =>
      render(diagnostic, source, { color: false })
        .split("\n")
        .filter((line) => !/^\s*(┌─.*|│\s*)$/.test(line))
        .map((line) =>
          line.replace(/^\s*(\d*) │ ?(.*?)\s*$/, (_, number: string, rest: string) => `${number}│${rest}`),
        )
        .join("\n"),
    );
}

interface Shown {
  readonly code: string;
  readonly text: string;
  readonly error: string;
}

const gallery: readonly Shown[] = [
  {
    code: "free-index",
    text: `import std.masks { causal }

attention Gists() {
  blocks c by 16
  let local[h, q, d] = attend[k if causal] (Q, K, V)
  let gist[h, c] = mean[q in c] local
  select kept[h, q] from c by gist[h, c] top 4 always c == c(q)
  mask causal and c(k) in kept[h, q]
}
`,
    error: `error[free-index]: \`d\` appears on the right but not in \`gist[h, c]\`
6│  let gist[h, c] = mean[q in c] local
│                                ----- reads local[h, q, d]
help: keep it, \`gist[h, c, d]\`, or reduce it, \`sum[d] …\``,
  },
  {
    code: "mask-reads-learned",
    text: `import std.masks { causal }

/// Keys that look like the query.
attention Alike() {
  mask causal and sum[d] Q * K > 0
}
`,
    error: `error[mask-reads-learned]: a mask may not read \`K\`
5│  mask causal and sum[d] Q * K > 0
│                             ^ learned
help: choose keys with \`select … by sum[d] Q * K above 0\`, or bias them with \`score\``,
  },
  {
    code: "mask-not-causal",
    text: `import std.masks { causal }

attention Near() {
  mask q - k < 4
}
`,
    error: `error[mask-not-causal]: query 5 can see key 7, which comes later
4│  mask q - k < 4
│       ^^^^^^^^^ true for q = 5, k = 7 (5 − 7 = −2)
│    k→ 0 1 2 3 4 5 6 7
│q=5    . . ■ ■ ■ ■ ■ ✗
help: \`mask causal and q - k < 4\``,
  },
  {
    code: "parameter-without-gradient",
    text: `import std.masks { causal }
attention Gated(block: Count = 16, width: Count = 8) {
  blocks i by block
  blocks j by block
  param wq[h, d, e: width]
  // The gate compares what the blocks of queries and keys are about.
  let gq[h, i, e] = sum[d] (mean[q in i] Q) * wq
  let gk[h, j, e] = sum[d] (mean[k in j] K) * wq
  let gate[h, i, j] = softmax[j if j <= i] dot[e](gq, gk) / sqrt(width)

  select kept[h, i] from j by gate above 5e-4 always j == i
  mask causal and j(k) in kept[h, i(q)]
}
`,
    error: `error[parameter-without-gradient]: \`wq\` cannot learn
5│  param wq[h, d, e: width]
11│  select kept[h, i] from j by gate above 5e-4 always j == i
│  ------ a selection is a hard choice; gradients stop here
help: give \`gate\` a teacher: \`teach gate by kl from …\``,
  },
  {
    code: "adapter-site-unknown",
    text: `model Base = pretrained "meta-llama/Llama-2-7b-hf" { length 4096 }
adapt Base {
  lora(rank: 8) on attn.qkv
}
`,
    error: `error[adapter-site-unknown]: no site \`attn.qkv\` in Llama-2-7b
3│  lora(rank: 8) on attn.qkv
│                   ^^^^^^^^ did you mean \`attn.{q, k, v}\`?`,
  },
  {
    code: "cyclic-definition",
    text: `import std.masks { causal }

attention Circle() {
  blocks c by 16

  let near[h, q, k] = softmax[k if c(k) in kept[h, q]] s

  select kept[h, q] from c by near[h, q, last(c)] top 4
  mask causal and c(k) in kept[h, q]
}
`,
    error: `error[cyclic-definition]: \`kept\` needs \`near\`, which needs \`kept\`
6│  let near[h, q, k] = softmax[k if c(k) in kept[h, q]] s
7│
8│  select kept[h, q] from c by near[h, q, last(c)] top 4
help: select by the raw logit, \`s[h, q, last(c)]\``,
  },
  {
    code: "empty-row",
    text: `import std.masks { causal }

attention Before() {
  mask q - k >= 1
}
`,
    error: `error[empty-row]: query 0 has no key
4│  mask q - k >= 1
help: let each query see itself: \`or q == k\``,
  },
];

describe("the error gallery", () => {
  it.each(gallery.map((shown) => [shown.code, shown] as const))("%s", (_, { text, error }) => {
    expect(errorsOf(text)).toEqual([error]);
  });
});
