/** Checks tasks and evaluations that come as JSON, as parts of settings. */
import * as z from "zod";
import type { MixPart, TaskEvaluation, TaskExpr, TaskSettings } from "./task.ts";

// Before the first object schema is made: see runtime/train/settings-schema.ts.
z.config({ jitless: true });

const whole = z.number().int().min(0);
const count = z.number().int().min(1);

const draws = [
  z.strictObject({ op: z.literal("number"), digits: count }),
  z.strictObject({ op: z.literal("word"), letters: count }),
  z.strictObject({ op: z.literal("pick"), of: z.array(z.string()).min(1) }),
] as const;

const expr: z.ZodType<TaskExpr> = z.lazy(() =>
  z.discriminatedUnion("op", [
    z.strictObject({
      op: z.literal("constant"),
      value: z.union([z.number(), z.string(), z.boolean()]),
    }),
    z.strictObject({ op: z.literal("name"), name: z.string() }),
    z.strictObject({ op: z.literal("entry"), name: z.string(), index: expr }),
    ...draws,
    z.strictObject({ op: z.literal("any"), axis: z.string() }),
    z.strictObject({ op: z.literal("uniform") }),
    z.strictObject({
      op: z.literal("arithmetic"),
      sign: z.enum(["+", "-", "*", "/", "%", "^"]),
      left: expr,
      right: expr,
    }),
    z.strictObject({ op: z.literal("negative"), operand: expr }),
    z.strictObject({ op: z.literal("not"), operand: expr }),
    z.strictObject({
      op: z.literal("compare"),
      signs: z.array(z.enum(["<", "<=", ">", ">=", "==", "!="])),
      operands: z.array(expr),
    }),
    z.strictObject({ op: z.literal("logic"), sign: z.enum(["and", "or"]), left: expr, right: expr }),
    z.strictObject({ op: z.literal("if"), condition: expr, then: expr, otherwise: expr }),
    z.strictObject({
      op: z.literal("function"),
      name: z.enum(["floor", "ceil", "abs", "min", "max"]),
      arguments: z.array(expr),
    }),
  ]),
);

const template = z.array(z.union([z.string(), expr]));

const filler = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("text"), text: z.string().min(1) }),
  z.strictObject({
    kind: z.literal("markov"),
    words: count,
    followers: count,
    exponent: z.number().min(0),
    copies: z.number().min(0).max(1),
    span: count,
    language: whole,
  }),
]);

const task: z.ZodType<TaskSettings> = z.strictObject({
  name: z.string().min(1),
  label: z.string(),
  axes: z.record(z.string(), expr),
  lets: z.array(z.strictObject({ name: z.string(), axis: z.string().nullable(), value: expr })),
  start: template,
  filler,
  inserts: z.array(z.strictObject({ axis: z.string().nullable(), text: template, at: expr.nullable() })),
  question: z.strictObject({ ask: template, answer: template }).nullable(),
  readsDepth: z.boolean(),
});

export const mixSchema: z.ZodType<readonly MixPart[]> = z
  .array(
    z.discriminatedUnion("kind", [
      z.strictObject({ share: z.number().positive(), kind: z.literal("tokens"), source: z.string() }),
      z.strictObject({ share: z.number().positive(), kind: z.literal("task"), task }),
    ]),
  )
  .min(1);

export const evaluationsSchema: z.ZodType<readonly TaskEvaluation[]> = z.array(
  z.strictObject({
    task,
    lengths: z.array(count).nullable(),
    depths: z.array(z.number().min(0).max(1)).nullable(),
    samples: count,
    seed: whole,
    metrics: z.array(z.enum(["exact_match", "accuracy", "loss"])).min(1),
  }),
);
