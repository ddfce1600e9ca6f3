/** The cache of builds: what is found there is what was made, and nothing broken or old is found. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { buildSpec, type Built } from "../../compiler/cli/build-cache.ts";

const folder = mkdtempSync(join(tmpdir(), "lctx-builds-"));
const spec = join(folder, "spec.lctx");
const text = (width: number): string => `import std.attention { Full }
model Small = decoder { vocab 256 layers 1 heads 2 width ${width} hidden 32 length 16 attention Full() }
train Small {
  data tokens "text.txt" length 16
  loss next_token
  optimizer adamw(lr: 1e-3)
  schedule constant over 2
  batch 2 sequences
}
`;

const build = async (): Promise<Built> => (await buildSpec(spec, undefined, []))!;

beforeAll(() => {
  vi.stubEnv("LCTX_CACHE", join(folder, "cache"));
  writeFileSync(spec, text(16));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe("cache of builds", () => {
  it("gives back what was made, until the spec changes or a file is cut short", async () => {
    const first = await build();
    expect(first.cached).toBe(false);
    const second = await build();
    expect(second).toEqual({ ...first, cached: true });

    const builds = join(folder, "cache/builds");
    const made = join(builds, readdirSync(builds)[0]!, "program-1.json");
    truncateSync(made, readFileSync(made).length - 10);
    expect(await build()).toEqual(first);
    expect((await build()).cached).toBe(true);

    writeFileSync(spec, text(32));
    const wider = await build();
    expect(wider.cached).toBe(false);
    expect(wider.lock["build"]).not.toBe(first.lock["build"]);
    expect(wider.project.stages[0]!.program).not.toEqual(first.project.stages[0]!.program);
  });
});
