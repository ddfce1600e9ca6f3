/** Layout of contractions: the common products need no copy, odd ones say what moves. */
import { describe, expect, it } from "vitest";
import { planContract } from "../../compiler/lower/graph-to-schedule-contract.ts";

const axes = (names: string) => [...names].map((name) => ({ name, size: 2 }));
const plan = (left: string, right: string, out: string, over: string) =>
  planContract(axes(left), axes(right), axes(out), [...over]);

describe("planContract", () => {
  it.each([
    ["bti", "oi", "bto", "i", { kFirst: [false, false], swapped: false }],
    ["bto", "oi", "bti", "o", { kFirst: [false, true], swapped: false }],
    ["bto", "bti", "oi", "bt", { kFirst: [true, true], swapped: false }],
    ["bti", "bto", "oi", "bt", { kFirst: [true, true], swapped: true }],
    ["bthd", "ohd", "bto", "hd", { kFirst: [false, false], swapped: false }],
    ["hqd", "hkd", "hqk", "d", { kFirst: [false, false], swapped: false }],
    ["hqk", "hkd", "hqd", "k", { kFirst: [false, true], swapped: false }],
  ])("needs no copy for %s · %s → %s", (left, right, out, over, expected) => {
    const made = plan(left, right, out, over);
    expect([made.left.direct, made.right.direct, made.direct]).toEqual([true, true, true]);
    expect([made.left.kFirst, made.right.kFirst]).toEqual(expected.kFirst);
    expect(made.swapped).toBe(expected.swapped);
  });

  it("moves one tensor when one lies across", () => {
    const made = plan("bitj", "oij", "bto", "ij");
    expect([made.left.direct, made.right.direct, made.direct].filter((fine) => !fine)).toHaveLength(1);
  });

  it("sums an axis that only one operand has before the product", () => {
    const made = plan("bti", "oie", "bto", "ie");
    expect(made.right.summed).toEqual(["e"]);
    expect(made.right.direct).toBe(false);
  });

  it("refuses a result axis that comes from nowhere", () => {
    expect(() => plan("ti", "oi", "txo", "i")).toThrow(/neither operand: x/);
  });
});
