/** Inferred sorts, indices and dependence of the clauses of real specs, and mistakes in other frameworks' words. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkAttention } from "../../compiler/check/attention/check-items.ts";
import { dependenceOf } from "../../compiler/check/attention/check-clauses.ts";
import { describeDomain, type Type } from "../../compiler/check/attention/types.ts";
import { clauseTables } from "../../compiler/cli/clause-table.ts";
import { checkSpec, compileRecipe } from "../../compiler/compile.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import type { AttentionPhase } from "../../compiler/ir/attention-meaning.ts";
import { specsBelow } from "../grammar/specs.ts";
import { checkText, diskHost, root } from "../support/check-text.ts";

const path = join(root, "tests/check/spec.lctx");
const fixture = (name: string): string =>
  readFileSync(join(root, "tests/fixtures/specs", `${name}.lctx`), "utf8");

/** Types of the clauses that define a name, and of the others by their kind, in one phase of a text's attention. */
function typesOf(text: string, phase: AttentionPhase): ReadonlyMap<string, Type> {
  const { project, diagnostics } = checkSpec(path, text, diskHost);
  expect(diagnostics.filter((d) => d.severity === "error")).toEqual([]);
  const found = new Map<string, Type>();
  for (const item of project!.environment.file.items) {
    if (item.kind !== "attention") continue;
    const definition = project!.environment.names.get(item.name.text)!;
    for (const { clause, type } of checkAttention(definition, item, new Reporter()).get(phase)!.clauses)
      found.set("name" in clause ? clause.name.text : clause.kind, type);
  }
  return found;
}

const shown = (type: Type | undefined): string =>
  type === undefined
    ? "nothing"
    : [
        type.sort,
        dependenceOf(type),
        ...[...type.free].map(([name, { domain }]) => `${name}: ${describeDomain(domain)}`).sort(),
      ].join("; ");

/** Spec, phase, clause, its type. */
const inferred: readonly (readonly [string, AttentionPhase, string, string])[] = [
  ["sink-window", "training", "mask-clause", "bool; position; k: a position; q: a position"],
  ["landmark", "training", "gate", "bool; position; k: a position"],
  ["landmark", "training", "near", "number; learned; h: a head; k: a position; q: a position"],
  ["landmark", "training", "mask-clause", "bool; position; k: a position; q: a position"],
  ["landmark", "decoding", "mask-clause", "bool; learned; h: a head; k: a position; q: a position"],
  ["longheads", "training", "local", "number; learned; d: a dimension; h: a head; q: a position"],
  ["longheads", "training", "gist", "number; learned; c: a block of block; d: a dimension; h: a head"],
  ["longheads", "training", "rep", "number; learned; c: a block of block; d: a dimension; h: a head"],
  ["shifted-sparse", "training", "size", "number; shape"],
  ["shifted-sparse", "training", "shift", "number; position; h: a head"],
  ["shifted-sparse", "decoding", "mask-clause", "bool; position; k: a position; q: a position"],
  [
    "seer-gate",
    "training",
    "pooled",
    "number; learned; d: a dimension; h: a head; j: a block of block; m: an index of `m`",
  ],
  ["seer-gate", "training", "gq", "number; learned; e: an index of `e`; h: a head; i: a block of block"],
  ["seer-gate", "training", "gate", "number; learned; h: a head; i: a block of block; j: a block of block"],
  ["vertical-slash", "training", "o", "offset; position; k: a position; q: a position"],
  ["vertical-slash", "training", "tail", "bool; position; q: a position"],
];

describe("inference", () => {
  it.each(inferred)("%s, %s: %s is %s", (spec, phase, clause, type) => {
    expect(shown(typesOf(fixture(spec), phase).get(clause))).toBe(type);
  });

  it("knows what gets gradients: tables of a gate, not what only a comparison reads", () => {
    const types = typesOf(fixture("seer-gate"), "training");
    expect([...types.get("gq")!.gradient]).toEqual(["wq"]);
    expect([...types.get("gate")!.gradient].sort()).toEqual(["wk", "wq"]);
    expect(types.get("mask-clause")!.gradient.size).toBe(0);
  });

  it("tells documents from positions", () => {
    const text = `import std.masks { causal, same_document }
attention A() {
  mask causal and same_document
}`;
    expect(dependenceOf(typesOf(text, "training").get("mask-clause")!)).toBe("document");
  });

  it("prints the clauses of each phase", () => {
    const { project } = checkSpec(path, fixture("shifted-sparse"), diskHost);
    const [training, rest] = clauseTables(project!);
    expect(training).toContain("let size      shape     a number");
    expect(training).toContain("let shift[h]  position  a number over h head");
    expect(rest).toMatch(/^ShiftedSparse, evaluation and decoding\n/);
  });
});

const codes = (text: string): string[] => checkText(text, path).map((d) => d.code);
const attention = (body: string): string =>
  `import std.masks { causal, window }\n\nattention A(size: Count = 4) {\n${body}\n}\n`;
const chosen = "  blocks c by 4\n  select kept[h, q] from c by s[h, q, last(c)] top 2 where";

describe("mistakes", () => {
  it.each([
    ["mask q_idx >= k", "q"],
    ["mask q >= kv_idx", "k"],
    ["mask causal and q - k < seq_len", "length"],
    ["mask causal\n  score = scores / 2", "s"],
    ["mask causal and head_idx == h", "h"],
    ["mask causal and ordinal(h) < num_heads", "heads"],
    ["mask casual", "causal"],
    ["mask causal and document_id[q] == document[k]", "document"],
    ["mask causal and torch.topk(s)", "top"],
    ["mask causal\n  score = s * arange(q)", "ordinal"],
  ])("%s: did you mean %s?", (body, meant) => {
    const found = checkText(attention(body), path);
    expect(found.map((d) => `${d.code}: ${d.help}`)).toEqual([`name-unknown: did you mean \`${meant}\`?`]);
  });

  it.each([
    [
      "one unknown name used twice over is told once a place",
      "let x[h] = ordinal(h) * wrong\n  mask causal\n  score = s * x + x",
      ["name-unknown"],
    ],
    [
      "a circle silences what reads it",
      "let a[h] = b\n  let b[h] = a\n  mask causal\n  score = s * a",
      ["cyclic-definition"],
    ],
    [
      "a definition that needs itself",
      "let a[h] = a * 2\n  mask causal\n  score = s * a",
      ["cyclic-definition"],
    ],
    ["a name means one thing", "let size[h] = ordinal(h)\n  mask causal\n  score = s * size", ["name-taken"]],
    [
      "the wrong role of an index",
      "blocks c by 4\n  let x[h, c] = sum[d] (mean[q in c] Q)\n  mask causal\n  score = s + x[h, q]",
      ["index-domain"],
    ],
    ["a chain of unlike things", "blocks c by 4\n  mask causal and 0 <= c(q) <= k", ["domain-mismatch"]],
    [
      "blocks of two sizes",
      "blocks c by 4\n  blocks e by size + 1\n  mask causal and c(q) == e(k)",
      ["domain-mismatch"],
    ],
    [
      "a phase that shows the future",
      "when training { mask causal }\n  otherwise { mask window(size) }",
      ["mask-not-causal"],
    ],
    [
      "a selection may show a whole block",
      `${chosen} c <= c(q)\n  mask c(k) in kept[h, q]`,
      ["mask-not-causal"],
    ],
    [
      "a selection of earlier blocks leaves the first query nothing",
      `${chosen} c < c(q)\n  mask c(k) in kept[h, q]`,
      ["empty-row"],
    ],
    [
      "a selection of earlier blocks shows no future",
      `${chosen} c < c(q)\n  mask q == k or c(k) in kept[h, q]`,
      [],
    ],
    ["what was not chosen may be seen", `${chosen} c < c(q)\n  mask causal and not (c(k) in kept[h, q])`, []],
    [
      "an index that changes nothing",
      "let half[h] = length / 2\n  mask causal\n  score = s * half",
      ["index-absent"],
    ],
  ])("%s", (_, body, expected) => {
    expect(codes(attention(`  ${body}`))).toEqual(expected);
  });

  it("a shift of positions is a whole number", () => {
    const body =
      "  let half[h] = if ordinal(h) < 4 then 0 else length / 64\n  mask causal and block(q + half[h], 8) == block(k + half[h], 8)";
    expect(new Set(codes(attention(body)))).toEqual(new Set(["count-not-whole"]));
  });

  it("definitions that double with each level end", () => {
    const chain = Array.from({ length: 40 }, (_, n) => `mask m${n + 1} = m${n} and m${n}`).join("\n");
    expect(codes(`mask m0 = q >= k\n${chain}\n\nattention A() {\n  mask m40\n}\n`)).toEqual([
      "inlining-too-large",
    ]);
  });

  it("what no kernel computes is refused when built, not left out", () => {
    const body = "  let p[h, q, k] = softmax[k if causal] s\n  mask causal\n  weight = p * p";
    const text = `${attention(body)}
model Small = decoder { vocab 64   layers 1   heads 2   width 8   length 32   attention A() }

train Small {
  data       tokens "text.txt"
  loss       next_token
  optimizer  adamw(lr: 1e-3)
  schedule   constant over 10
  batch      2 sequences
}
`;
    const { project, failed } = checkSpec(path, text, diskHost);
    expect(failed).toBe(false);
    const reporter = new Reporter();
    expect(compileRecipe(project!.recipes.get("Small")!, reporter)).toBeNull();
    expect(new Set(reporter.diagnostics.map((d) => d.code))).toEqual(new Set(["attention-not-run"]));
  });
});

describe("any text", () => {
  const sources = specsBelow("tests/fixtures/specs", "stdlib")
    .map(({ text }) => text)
    .filter((text) => /^(attention|mask|score) /m.test(text))
    // Attentions and masks alone: models are mutated elsewhere, and are slow to build.
    .map((text) => text.replace(/^(model|adapt|train|evaluate) [^]*$/m, ""));

  it("is checked without an exception", () => {
    const put = [
      "",
      " ",
      "x",
      "0",
      "q",
      "k",
      "c",
      "c(q)",
      "kept[h, q]",
      "sum[d] ",
      "softmax[k] ",
      "in c",
      "in ",
      "(",
      ")",
      "[h]",
      " at q",
      "not ",
      "true",
      "-",
      " == k",
      "rank(",
      "Q",
      "s",
    ];
    const mutation = fc.record({
      source: fc.constantFrom(...sources),
      edits: fc.array(
        fc.record({
          at: fc.double({ min: 0, max: 1, noNaN: true }),
          drop: fc.nat(10),
          put: fc.constantFrom(...put),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    });
    fc.assert(
      fc.property(mutation, ({ source, edits }) => {
        let text = source;
        for (const edit of edits) {
          const place = Math.floor(edit.at * text.length);
          text = text.slice(0, place) + edit.put + text.slice(place + edit.drop);
        }
        for (const d of checkText(text, path)) {
          expect(d.title).not.toMatch(/undefined|\[object|(?<!\\u)\{[a-z]+\}/);
          const { start, end } = d.primary.span;
          expect(start).toBeLessThanOrEqual(end);
        }
      }),
      { numRuns: 400 },
    );
  });
});
