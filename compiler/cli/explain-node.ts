/** `lctx explain node`: the graph nodes of a site, and the launches that they became in each phase. */
import { evaluateSize, type Launch, type Program, type Sizes } from "../../runtime/program.ts";
import type { Compiled } from "../compile.ts";
import { suggest } from "../diagnostics/suggest.ts";
import { printGraph } from "../ir/print-graph.ts";
import { exitCodes, UsageError } from "./exit-codes.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const liesIn = (site: string, place: string): boolean => site === place || site.startsWith(`${place}.`);

const bytesOf = (program: Program, ids: readonly number[], sizes: Sizes): number =>
  ids
    .filter((id) => id >= 0)
    .reduce(
      (sum, id) =>
        sum + 4 * program.tensors[id]!.shape.reduce<number>((n, size) => n * evaluateSize(size, sizes), 1),
      0,
    );

function sayLaunch(program: Program, launch: Launch, sizes: Sizes): void {
  const names = (ids: readonly number[]): string =>
    ids.map((id) => (id < 0 ? "nothing" : program.tensors[id]!.name)).join(", ");
  const written = launch.writes;
  const read = launch.buffers.filter((id) => !launch.writes.includes(id));
  say(`  ${launch.label}  (kernel ${launch.kernel})`);
  say(`    reads   ${bytesOf(program, read, sizes)} bytes: ${names(read)}`);
  say(`    writes  ${bytesOf(program, written, sizes)} bytes: ${names(written)}`);
}

/** Prints what became of a site, or of the site of a node of the training graph. Throws a UsageError for an unknown place. */
export function explainNode(
  compiled: Compiled,
  place: string | undefined,
  options: { readonly batch?: number; readonly length?: number; readonly threads?: number },
): number {
  const stage = compiled.stages[0]!;
  const { train } = stage.graphs;
  const known = [...new Set(train.nodes.map(({ site }) => site).filter((site) => site !== ""))];
  if (place === undefined)
    throw new UsageError("explain node needs a place", `one of: ${known.slice(0, 12).join(", ")}, …`);
  const numbered = /^n\d+$/.test(place) ? train.nodes[Number(place.slice(1))] : undefined;
  const site = numbered?.site ?? place;
  const nodes = printGraph(train)
    .split("\n")
    .filter((_, n) => {
      const node = train.nodes[n];
      if (node === undefined) return false;
      return numbered === undefined ? liesIn(node.site, site) : node === numbered;
    });
  if (nodes.length === 0) {
    const meant = suggest(
      place,
      known.map((name) => ({ name, kind: "site" })),
    );
    throw new UsageError(
      `nothing lies at ${JSON.stringify(place)}`,
      meant === null ? `places are: ${known.slice(0, 12).join(", ")}, …` : `did you mean ${meant}?`,
    );
  }
  const settings = compiled.settings.stages[0]!;
  const sizes: Sizes = {
    batch: options.batch ?? settings.batch.sequences,
    length: options.length ?? settings.data.length,
    threads: options.threads ?? 1,
    "query-start": 0,
  };
  say(`In the training graph:\n${nodes.map((line) => `  ${line}`).join("\n")}`);
  for (const [phase, { launches }] of Object.entries(stage.program.phases)) {
    const own = launches.filter(({ label }) => liesIn(label.split(":")[0]!, site));
    if (own.length === 0) continue;
    say(`\nIn phase ${phase}, with ${sizes.batch} rows of ${sizes.length} tokens:`);
    for (const launch of own) sayLaunch(stage.program, launch, sizes);
  }
  return exitCodes.ok;
}
