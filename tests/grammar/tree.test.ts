/** What text means as a tree, and that any tree survives printing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AstFile, AttentionItem, Expr, Identifier } from "../../grammar/ast.ts";
import { parseFile } from "../../grammar/parse.ts";
import { printFile } from "../../grammar/print-ast.ts";
import { withoutPlaces } from "./specs.ts";

/** An expression as nested lists, so that its structure can be read. */
function shape(expr: Expr): string {
  switch (expr.kind) {
    case "number":
      return expr.text;
    case "string":
      return JSON.stringify(expr.value);
    case "name":
      return expr.name;
    case "member":
      return `${shape(expr.base)}.${expr.member.text}`;
    case "index":
      return `(index ${[expr.base, ...expr.indices].map(shape).join(" ")})`;
    case "call": {
      const given = expr.arguments.map(({ name, value }) =>
        name ? `${name.text}:${shape(value)}` : shape(value),
      );
      return `(call ${[shape(expr.callee), ...given].join(" ")})`;
    }
    case "unary":
      return `(${expr.op} ${shape(expr.operand)})`;
    case "binary":
    case "logic":
      return `(${expr.op} ${shape(expr.left)} ${shape(expr.right)})`;
    case "compare":
      return `(compare ${expr.operands.map((o, i) => (i === 0 ? "" : `${expr.operators[i - 1]} `) + shape(o)).join(" ")})`;
    case "membership":
      return `(in ${shape(expr.element)} ${shape(expr.set)})`;
    case "if":
      return `(if ${shape(expr.condition)} ${shape(expr.then)} ${shape(expr.otherwise)})`;
    case "reduction": {
      const binders = expr.binders.map((b) => (b.in ? `${b.name.text}∈${b.in.text}` : b.name.text)).join(",");
      const per = expr.per ? ` per ${expr.per.text}` : "";
      const guard = expr.guard ? ` if ${shape(expr.guard)}` : "";
      return `(${expr.op} [${binders}${per}${guard}] ${expr.bodies.map(shape).join(" ")})`;
    }
    case "tuple":
      return `(tuple ${expr.elements.map(shape).join(" ")})`;
    case "at":
      return `(at ${shape(expr.value)} ${shape(expr.position)})`;
    case "error":
      return "(error)";
  }
  return expr satisfies never;
}

function shapeOf(text: string): string {
  const { file, diagnostics } = parseFile("a.lctx", `mask m = ${text}`);
  expect(diagnostics.map((d) => d.title)).toEqual([]);
  const [item] = file.items;
  if (item?.kind !== "mask" || file.items.length !== 1) throw new Error(`not one mask: ${text}`);
  return shape(item.body);
}

describe("expressions", () => {
  it.each([
    ["a or b and not c < d", "(or a (and b (not (compare c < d))))"],
    ["0 <= q - k < n", "(compare 0 <= (- q k) < n)"],
    ["a - b - c * d / e", "(- (- a b) (/ (* c d) e))"],
    ["-a ^ -b ^ c", "(- (^ a (- (^ b c))))"],
    ["2 ^ 3 ^ 4", "(^ 2 (^ 3 4))"],
    ["c(k) in kept[h, q]", "(in (call c k) (index kept h q))"],
    ["sum[d] a * b + c < e", "(compare (sum [d] (+ (* a b) c)) < e)"],
    ["a * sum[m, d] b * c", "(* a (sum [m,d] (* b c)))"],
    ["softmax[k per c if not gate(k)] s", "(softmax [k per c if (not (call gate k))] s)"],
    ["max[q in i, k in j] p", "(max [q∈i,k∈j] p)"],
    ["max(a, b) / max", "(/ (call max a b) max)"],
    ["dot[e](rope(gq at i), gk) / sqrt(w)", "(/ (dot [e] (call rope (at gq i)) gk) (call sqrt w))"],
    ["attend[k in c] (g, K, K)", "(attend [k∈c] g K K)"],
    ["stack[m] (max[k in j] K, K)", "(stack [m] (max [k∈j] K) K)"],
    ["if a then b else if c then d else e", "(if a b (if c d e))"],
    ["betas.0 ^ step", "(^ betas.0 step)"],
    ["norm.attn(x, rate: 1e-3)", "(call norm.attn x rate:1e-3)"],
    ["(0.9, 0.95)", "(tuple 0.9 0.95)"],
    ['table "best.json"', '(call table "best.json")'],
    ["((a))", "a"],
    ["f(a, b,)", "(call f a b)"],
    ["1_000 % document", "(% 1_000 document)"],
  ])("%s", (text, expected) => {
    expect(shapeOf(text)).toBe(expected);
  });
});

describe("items", () => {
  it("keep documentation apart from other comments", () => {
    const { file } = parseFile(
      "a.lctx",
      "// note\n/// One.\n/// Two.\nmask a = q\n\n/// Three.\nmask b = k // end\n",
    );
    expect(file.items.map((item) => item.docs)).toEqual(["One.\nTwo.", "Three."]);
    expect(file.comments.map((c) => c.doc)).toEqual([false, true, true, true, false]);
  });

  it("read settings, recipes and sites", () => {
    const text = `model M = decoder { vocab 1_0 length 8 attention A(n: 2) rope r() }
adapt M { lora(rank: 8) on attn.{q, v}, layers.2 to 5.mlp train norm.*, embed }
train M { data tokens "x" length 8 packed by document insert tokens every 5 validate 5%
  schedule warmup 2% then cosine to 1e-5 over 100 batch 4 sequences accumulate 2 seed 1 clip 1 }
evaluate M { task passkey at lengths 4 to 8 doubling metric exact }`;
    const { file, diagnostics } = parseFile("a.lctx", text);
    expect(diagnostics).toEqual([]);
    const [model, adapt, train, evaluate] = file.items;
    expect(model?.kind === "model" && model.settings.map((s) => `${s.name.text} ${shape(s.value)}`)).toEqual([
      "vocab 1_0",
      "length 8",
      "attention (call A n:2)",
      "rope (call r)",
    ]);
    expect(withoutPlaces(adapt)).toMatchObject({
      clauses: [
        {
          kind: "attach",
          sites: [
            {
              segments: [
                { name: { text: "attn" } },
                { kind: "one-of", names: [{ text: "q" }, { text: "v" }] },
              ],
            },
            {
              segments: [
                { name: { text: "layers" } },
                { kind: "range", from: 2, to: 5 },
                { name: { text: "mlp" } },
              ],
            },
          ],
        },
        { kind: "train-sites", sites: [{ segments: [{}, { kind: "any" }] }, {}] },
      ],
    });
    expect(withoutPlaces(train)).toMatchObject({
      clauses: [
        {
          kind: "data",
          packed: true,
          insert: { token: { text: "tokens" } },
          validate: { percent: true, value: { value: 0.05 } },
        },
        { kind: "schedule", warmup: { percent: true }, shape: { text: "cosine" }, over: { value: 100 } },
        { kind: "batch", unit: "sequences", accumulate: { value: 2 } },
        { kind: "seed" },
        { kind: "clip" },
      ],
    });
    expect(withoutPlaces(evaluate)).toMatchObject({
      clauses: [
        {
          kind: "task",
          task: { callee: { name: "passkey" }, arguments: [] },
          bare: true,
          lengths: { values: [{ value: 4 }], to: { value: 8 } },
          depths: [],
        },
        { kind: "metric" },
      ],
    });
  });

  it("let most words of the language be names", () => {
    for (const word of [
      "tokens",
      "length",
      "over",
      "document",
      "task",
      "top",
      "mask",
      "score",
      "by",
      "at",
      "block",
    ])
      expect(shapeOf(`${word} + f(${word}: ${word})[0]`.replace("[0]", ""))).toBe(
        `(+ ${word} (call f ${word}:${word}))`,
      );
  });
});

// ── Made-up trees ──────────────────────────────────────────────────────────────────

const span = { file: "made.lctx", start: 0, end: 0 };
const identifier = (text: string): Identifier => ({ text, span });
const nameText = fc.constantFrom("a", "b", "q", "k", "h", "width", "tokens", "over");
const binder = fc.record({
  name: nameText.map(identifier),
  in: fc.option(nameText.map(identifier)),
});

const { expression } = fc.letrec<{ expression: Expr }>((tie) => {
  const sub = tie("expression");
  const name = nameText.map((text): Expr => ({ kind: "name", name: text, span }));
  const number = fc
    .constantFrom("0", "1", "2.5", "1e-6", "50_304")
    .map((text): Expr => ({ kind: "number", text, value: Number(text.replaceAll("_", "")), span }));
  const compound = fc.oneof(
    fc
      .tuple(fc.constantFrom("-", "not") as fc.Arbitrary<"-" | "not">, sub)
      .map(([op, operand]): Expr => ({ kind: "unary", op, operand, span })),
    fc
      .tuple(fc.constantFrom(..."+-*/%^") as fc.Arbitrary<"+">, sub, sub)
      .map(([op, left, right]): Expr => ({ kind: "binary", op, left, right, span })),
    fc
      .tuple(fc.constantFrom("and", "or") as fc.Arbitrary<"and">, sub, sub)
      .map(([op, left, right]): Expr => ({ kind: "logic", op, left, right, span })),
    fc
      .tuple(
        fc.array(fc.constantFrom("<", "<=", "==", "!=") as fc.Arbitrary<"<">, { minLength: 1, maxLength: 2 }),
        fc.array(sub, { minLength: 3, maxLength: 3 }),
      )
      .map(([operators, all]): Expr => ({
        kind: "compare",
        operators,
        operands: all.slice(0, operators.length + 1),
        span,
      })),
    fc.tuple(sub, sub).map(([element, set]): Expr => ({ kind: "membership", element, set, span })),
    fc
      .tuple(sub, sub, sub)
      .map(([condition, then, otherwise]): Expr => ({ kind: "if", condition, then, otherwise, span })),
    fc
      .tuple(
        fc.constantFrom("sum", "max", "softmax") as fc.Arbitrary<"sum">,
        fc.array(binder, { minLength: 1, maxLength: 2 }),
        fc.option(sub),
        sub,
      )
      .map(([op, binders, guard, body]): Expr => ({
        kind: "reduction",
        op,
        binders,
        per: null,
        guard,
        bodies: [body],
        span,
      })),
    fc
      .tuple(
        fc.constantFrom("dot", "attend", "stack") as fc.Arbitrary<"dot">,
        fc.array(sub, { minLength: 1, maxLength: 3 }),
      )
      .map(([op, bodies]): Expr => ({
        kind: "reduction",
        op,
        binders: [{ name: identifier("d"), in: null }],
        per: identifier("c"),
        guard: null,
        bodies,
        span,
      })),
    fc
      .array(sub, { minLength: 2, maxLength: 3 })
      .map((elements): Expr => ({ kind: "tuple", elements, span })),
    fc
      .array(sub, { minLength: 1, maxLength: 2 })
      .map((indices): Expr => ({ kind: "index", base: { kind: "name", name: "t", span }, indices, span })),
    fc.array(fc.tuple(fc.option(nameText), sub), { maxLength: 3 }).map((given): Expr => ({
      kind: "call",
      callee: { kind: "name", name: "f", span },
      arguments: given.map(([argument, value]) => ({
        name: argument === null ? null : identifier(argument),
        value,
      })),
      span,
    })),
  );
  return { expression: fc.oneof({ maxDepth: 4, withCrossShrink: true }, fc.oneof(name, number), compound) };
});

describe("made-up trees", () => {
  it("print to text that reads as the same tree", () => {
    fc.assert(
      fc.property(fc.array(expression, { minLength: 1, maxLength: 3 }), (values) => {
        const item: AttentionItem = {
          kind: "attention",
          name: identifier("Made"),
          parameters: [
            {
              name: identifier("n"),
              axes: [],
              type: identifier("Real"),
              typeAxes: [],
              value: values[0]!,
              span,
            },
          ],
          clauses: [
            ...values.map(
              (value, i) =>
                ({ kind: "let", name: identifier(`x${i}`), form: { kind: "value" }, value, span }) as const,
            ),
            { kind: "mask-clause", value: values[0]!, span },
            {
              kind: "phase",
              phase: identifier("training"),
              clauses: [{ kind: "weight-clause", value: values[0]!, span }],
              span,
            },
          ],
          docs: "",
          span,
        };
        const file: AstFile = { kind: "file", path: "made.lctx", items: [item], comments: [], span };
        const text = printFile(file, "");
        const again = parseFile("made.lctx", text);
        expect(
          again.diagnostics.map((d) => d.title),
          text,
        ).toEqual([]);
        expect(withoutPlaces(again.file), text).toEqual(withoutPlaces(file));
      }),
      { numRuns: 500, seed: 11 },
    );
  });
});
