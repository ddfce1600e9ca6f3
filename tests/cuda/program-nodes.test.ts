/** CUDA calls of single nodes of a program, run on the host: against the interpreter, with the names that programs have. */
import { expect, it } from "vitest";
import { nodeCall } from "../../compiler/backends/cuda/program/node-calls.ts";
import { graphOf, resultNode } from "../../compiler/ir/graph-build.ts";
import { nodeOperands } from "../../compiler/ir/graph-operands.ts";
import { nodeResults } from "../../compiler/ir/graph-results.ts";
import type { Node } from "../../compiler/ir/graph.ts";
import { interpret, type Float64Tensor } from "../../compiler/ir/interpret.ts";
import type { CudaSource } from "../../runtime/device/cuda/launch.ts";
import { fillTensor, randomNumbers, shapeOf } from "../support/random-values.ts";
import { compileForHost, type HostCall } from "./host-device.ts";
import { compileAll, hasNvcc } from "./nvcc.ts";
import { programCases, vocabulary, type ProgramCase } from "./program-node-cases.ts";

const scalars = { factor: 3.7 };
const calls = programCases.map(({ node, wanted }) => nodeCall(node, wanted));
const moves = new Set(["gather", "reshape", "concat", "slice", "block-spread", "select"]);

/** Sums of some thousand numbers of size 1, as a share of the largest. */
const tolerance = 2e-5;

type Numbers = Float32Array | Int32Array;
/** On its own memory, as a device aligns it. */
function numbers(dtype: Node["dtype"], data: Float64Array | number): Numbers {
  const length = typeof data === "number" ? data : data.length;
  const store = new ArrayBuffer(4 * length);
  const made = dtype === "i32" ? new Int32Array(store) : new Float32Array(store);
  if (typeof data !== "number") made.set(data);
  else if (dtype === "i32") made.fill(0x55aa55aa);
  else made.fill(NaN);
  return made;
}

function inputsOf(graph: ReturnType<typeof graphOf>, node: Node, sizes: { batch: number; length: number }) {
  const next = randomNumbers(sizes.length * 100 + node.site.length);
  const inputs = new Map<string, Float64Tensor>();
  const classes =
    node.kind === "cross-entropy" || node.kind === "cross-entropy-gradient"
      ? Number(
          node.logits.axes.at(-1)!.size.kind === "fixed" && shapeOf(node.logits.axes.slice(-1), sizes)[0],
        )
      : node.kind === "head-loss" || node.kind === "head-loss-gradient"
        ? shapeOf(node.weight.axes, sizes)[0]!
        : vocabulary;
  const word = (): number => [0, -1, Math.floor(next() * 2 ** 32) | 0][Math.floor(next() * 3)]!;
  for (const own of graph.nodes) {
    const shape = shapeOf(own.axes, sizes);
    if (own.kind === "parameter")
      inputs.set(
        own.path,
        own.dtype === "i32" ? fillTensor(shape, word) : fillTensor(shape, () => 2 * next() - 1, true),
      );
    if (own.kind === "input")
      inputs.set(
        `input:${own.name}`,
        fillTensor(shape, () =>
          own.name === "targets" && next() < 0.3
            ? -1
            : Math.floor(next() * (own.name === "tokens" ? vocabulary : classes)),
        ),
      );
  }
  return inputs;
}

/** What is known of a node at some sizes, once for all of its cases. */
function meaningOf(node: Node, sizes: { batch: number; length: number; "query-start": number }) {
  const outputs: Record<string, Node> = {};
  nodeResults(node).forEach((_, r) => (outputs[`r${r}`] = resultNode(node, r)));
  nodeOperands(node).forEach((operand, o) => (outputs[`o${o}`] = operand));
  const graph = graphOf(outputs);
  const found = interpret(graph, inputsOf(graph, node, sizes), sizes, scalars);
  return {
    operands: nodeOperands(node).map((operand, o) => numbers(operand.dtype, found.get(`o${o}`)!.data)),
    results: nodeResults(node).map((_, r) => found.get(`r${r}`)!.data),
  };
}

function compare(
  { name, node, wanted }: ProgramCase,
  run: HostCall,
  { operands, results }: ReturnType<typeof meaningOf>,
  sizes: { batch: number; length: number; "query-start": number },
): readonly string[] {
  const once = (): readonly (Numbers | null)[] => {
    const given = results.map((want, r) =>
      wanted[r] ? numbers(nodeResults(node)[r]!.dtype, want.length) : null,
    );
    run([...operands, ...given], sizes, scalars);
    return given;
  };
  const given = once();
  const again = sizes.length === 17 && !wanted.includes(false) ? once() : given;
  return results.flatMap((want, r) => {
    const own = given[r];
    if (own === null || own === undefined) return [];
    const where = `${name}, result ${r} of ${wanted.join()}, length ${sizes.length}`;
    if (!Buffer.from(own.buffer).equals(Buffer.from(again[r]!.buffer))) return [`${where}: other bits`];
    const most = want.reduce((size, x) => (Number.isFinite(x) ? Math.max(size, Math.abs(x)) : size), 1);
    const allowed = moves.has(node.kind) ? 0 : tolerance * most;
    const bad = want.findIndex((x, i) => !(Math.abs(own[i]! - x) <= allowed) && !Object.is(own[i]! - x, NaN));
    const lost = want.findIndex((x, i) => !Number.isFinite(x) && !Object.is(own[i], x));
    return [bad, lost].filter((i) => i >= 0).map((i) => `${where}: ${own[i]} for ${want[i]} at ${i}`);
  });
}

it("mean what the interpreter says (not run without g++)", { timeout: 300_000 }, () => {
  const compiled = compileForHost(calls);
  if (compiled === null) return;
  const problems: string[] = [];
  for (const length of [1, 17, 140]) {
    const sizes = { batch: 2, length, "query-start": 0 };
    let last: { readonly node: Node; readonly meaning: ReturnType<typeof meaningOf> } | null = null;
    programCases.forEach((of, n) => {
      // One length says enough of what is left out, and of the largest heads: they take long, here and in float64.
      if ((of.wanted.includes(false) || /83\d\d/.test(of.name)) && length !== 17) return;
      if (last?.node !== of.node) last = { node: of.node, meaning: meaningOf(of.node, sizes) };
      problems.push(...compare(of, compiled[n]!, last.meaning, sizes));
    });
  }
  expect(problems).toEqual([]);
});

it.skipIf(!hasNvcc)("compile (not run without nvcc)", { timeout: 300_000 }, async () => {
  const texts = new Map<string, { readonly name: string; readonly source: CudaSource }>();
  // Kernels over pairs are compiled elsewhere; of the others the last of each entry says enough.
  programCases.forEach(({ name }, n) => {
    for (const source of calls[n]!.sources) texts.set(source.entry, { name, source });
  });
  const own = [...texts.values()].filter(
    ({ source }) => !/attention|fold|select|rows|block$/.test(source.entry),
  );
  const wrong: string[] = [];
  await compileAll(own, ({ name, source }, { log }) => {
    const spilled = Number(/(\d+) bytes spill stores/.exec(log)?.[1] ?? Infinity);
    // A few words outside the loops cost nothing.
    if (/warning|error/i.test(log) || spilled > 32) wrong.push(`${name}, ${source.entry}: ${log}`);
  });
  expect(wrong).toEqual([]);
});
