/**
 * Compares specs with the interpreter on each backend of TensorFlow.js that is installed and writes, for each kind of node,
 * in how many it was compared and in how many it differed, to docs/targets/tfjs-support.json. `npx tsx scripts/tfjs-support.ts`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { format } from "prettier";
import { packageRoot } from "../compiler/cli/paths.ts";
import type { Node } from "../compiler/ir/graph.ts";
import { differentiate } from "../compiler/passes/differentiate.ts";
import { optimizeGraph } from "../compiler/passes/pipeline.ts";
import { findBackends, openBackend } from "../runtime/tfjs/backend.ts";
import { tileSizes } from "../runtime/tfjs/pair-walk.ts";
import { caseInputs, nodeCases } from "../tests/conformance/support/node-cases.ts";
import { randomSpecs } from "../tests/conformance/support/random-specs.ts";
import { randomWeightedSpecs } from "../tests/conformance/support/random-weighted-specs.ts";
import { randomRoutedSpecs } from "../tests/conformance/support/routed/random-routed-texts.ts";
import { isCompared } from "../tests/conformance/support/routed/node-checks.ts";
import { parametersOf } from "../tests/support/gradient-check.ts";
import { graphWith, plainLayers, randomGraph } from "../tests/support/random-graph.ts";
import { selectionLayers } from "../tests/support/random-selections.ts";
import { randomInputs } from "../tests/support/random-values.ts";
import { graphDifferences, routedProblems, specProblems } from "../tests/tfjs/support/compare.ts";
import { smallSpecs, specGraph } from "../tests/tfjs/support/specs.ts";
import type { KindResult, SupportResults } from "./tfjs-page.ts";

const count = Number(process.argv[2] ?? 30);
const seed = 20261126;

/** One comparison: which kinds of nodes it ran, and what was wrong. */
interface Compared {
  readonly kinds: readonly Node["kind"][];
  readonly problems: readonly string[];
}

function* comparisons(): Generator<Compared> {
  for (const spec of [
    ...smallSpecs(randomSpecs, count, seed),
    ...smallSpecs(randomWeightedSpecs, count, seed),
  ])
    yield { kinds: specGraph(spec).nodes.map(({ kind }) => kind), problems: specProblems(spec) };
  for (const spec of randomRoutedSpecs(count, seed))
    yield {
      kinds: spec.optimized.nodes.filter(isCompared).map(({ kind }) => kind),
      problems: routedProblems(spec),
    };
  for (const [name, node] of Object.entries(nodeCases)) {
    const sizes = { batch: 2, length: 33 };
    const { graph, inputs } = caseInputs(node, 1, sizes);
    yield { kinds: [node.kind], problems: graphDifferences(name, graph, inputs, sizes, 5e-5) };
  }
  const graphs = [
    ...[...plainLayers, ...selectionLayers].map((layer) => ({
      name: layer.name,
      graph: graphWith([layer], "square"),
    })),
    ...fc.sample(randomGraph(2), { numRuns: count, seed }),
  ];
  for (const { name, graph } of graphs) {
    const sizes = { batch: 2, length: 9 };
    const whole = optimizeGraph(differentiate(graph, parametersOf(graph)));
    const inputs = randomInputs(whole, sizes, seed, { single: true });
    const problems = graphDifferences(name, whole, inputs, sizes, 2e-4, { seed: 77, step: 2 });
    yield { kinds: whole.nodes.map(({ kind }) => kind), problems };
  }
}

const results: Record<string, SupportResults> = {};
for (const { name, problem } of await findBackends()) {
  if (problem !== null) {
    results[name] = { notRun: problem, kinds: {} };
    continue;
  }
  await openBackend(name);
  tileSizes.rows = 8;
  tileSizes.keys = 12;
  const kinds: Record<string, KindResult> = {};
  for (const { kinds: own, problems } of comparisons()) {
    for (const problem of problems) process.stdout.write(`${name}: ${problem}\n`);
    for (const kind of new Set(own)) {
      const before = kinds[kind] ?? { compared: 0, different: 0 };
      kinds[kind] = {
        compared: before.compared + 1,
        different: before.different + (problems.length > 0 ? 1 : 0),
      };
    }
  }
  results[name] = { notRun: null, kinds };
  process.stdout.write(`${name}: ${JSON.stringify(kinds)}\n`);
}
const folder = join(packageRoot(), "docs/targets");
mkdirSync(folder, { recursive: true });
const text = await format(JSON.stringify(results), { parser: "json", printWidth: 110 });
writeFileSync(join(folder, "tfjs-support.json"), text);
