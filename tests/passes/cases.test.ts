/** Each case folder holds a graph and its text before and after the pass that the folder above is named after. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Graph } from "../../compiler/ir/graph.ts";
import { printGraph } from "../../compiler/ir/print-graph.ts";
import { verifyGraph } from "../../compiler/ir/verify-graph.ts";
import { graphPasses } from "../../compiler/passes/pipeline.ts";

const folders = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));

const here = import.meta.dirname;

describe("case folders", () => {
  it("cover every pass", () => {
    expect(folders(here).sort()).toEqual([...new Set(graphPasses.map(({ name }) => name))].sort());
  });

  for (const name of folders(here))
    for (const each of folders(join(here, name)))
      it(`${name}/${each}`, async () => {
        const { graph } = (await import(join(here, name, each, "graph.ts"))) as { graph: Graph };
        const pass = graphPasses.find((candidate) => candidate.name === name)!;
        verifyGraph(graph, "construction");
        const after = pass.run(graph);
        verifyGraph(after, pass.name);
        await expect(printGraph(graph)).toMatchFileSnapshot(join(here, name, each, "before.graph"));
        await expect(printGraph(after)).toMatchFileSnapshot(join(here, name, each, "after.graph"));
      });
});
