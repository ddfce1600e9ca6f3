/** Compiled kernels on disk: found again, made again when damaged, shared by processes, bypassed where nothing can be written. */
import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { KernelCache, keyOf } from "../../runtime/device/cpu/kernel-cache.ts";
import type { KernelSources } from "../../runtime/device/device.ts";
import { openCpuDevice } from "../../runtime/device/open.ts";
import { call, kinds, sourcesOf, temporaryFolder } from "./support.ts";

const store = (value: number): KernelSources =>
  sourcesOf(
    `void store(void *const *buffers, const int64_t *sizes, const float *scalars) {
  (void)sizes, (void)scalars;
  *(int32_t *)buffers[0] = ${value};
}
`,
    ["store"],
  );

const folder = temporaryFolder();
afterEach(() => vi.unstubAllEnvs());
afterAll(() => folder.remove());

let made = 0;
const newFolder = (): string => {
  const path = join(folder.path, `cache-${made++}`);
  mkdirSync(path);
  return path;
};

/** A new file in an old one's place: the old one may be mapped by this process. */
function replace(path: string, bytes: Uint8Array): void {
  rmSync(path);
  writeFileSync(path, bytes);
}

/** What the kernel stores, loaded by a device of its own. */
async function stored(
  kind: (typeof kinds)[number],
  cacheFolder: string,
  sources: KernelSources,
): Promise<number> {
  // As a process that starts: it knows no compiler yet.
  vi.resetModules();
  const { openCpuDevice } = await import("../../runtime/device/open.ts");
  const device = await openCpuDevice({ kind, threads: 1, cacheFolder });
  const kernels = await device.load(sources);
  const memory = device.allocate(4);
  call(device, kernels, "store", [memory]);
  const value = memory.i32(0, 1)[0]!;
  memory.free();
  device.close();
  return value;
}

/** A compiler that writes a line for each call; `compiled` gives the files since it was last asked. */
function watchedCompiler(): { compiled(): string[] } {
  const place = newFolder();
  const [path, log] = [join(place, "cc"), join(place, "log")];
  writeFileSync(path, `#!/bin/sh\necho "$*" >> '${log}'\nexec cc "$@"\n`);
  chmodSync(path, 0o755);
  vi.stubEnv("CC", path);
  return {
    compiled() {
      const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
      writeFileSync(log, "");
      return lines.flatMap((line) => / -c \S*\/(\S+)/.exec(line)?.[1] ?? []).sort();
    },
  };
}

describe("compiled kernels on disk", () => {
  it("are compiled once, and again only where a file changed", async () => {
    const compiler = watchedCompiler();
    const cache = newFolder();
    expect(await stored("native", cache, store(7))).toBe(7);
    expect(compiler.compiled()).toEqual(["entries.c", "gemm.c", "pool.c", "run.c", "tested.c"]);
    expect(await stored("native", cache, store(7))).toBe(7);
    expect(compiler.compiled()).toEqual([]);
    expect(await stored("native", cache, store(8))).toBe(8);
    expect(compiler.compiled()).toEqual(["tested.c"]);
    const [name, text] = ["lctx.h", store(8).files["lctx.h"]!];
    const changed = { ...store(8), files: { ...store(8).files, [name]: `${text}/* changed */\n` } };
    expect(await stored("native", cache, changed)).toBe(8);
    expect(compiler.compiled()).toHaveLength(5);
  });

  it.each(kinds)("are made again when cut short or changed (%s)", async (kind) => {
    const cache = newFolder();
    const of = join(cache, kind);
    expect(await stored(kind, cache, store(3))).toBe(3);
    const entries = readdirSync(of).filter((name) => !name.endsWith(".sum"));
    expect(entries.length).toBeGreaterThan(3);
    for (const name of entries) replace(join(of, name), readFileSync(join(of, name)).subarray(0, 100));
    expect(await stored(kind, cache, store(3))).toBe(3);
    for (const name of entries) {
      const bytes = readFileSync(join(of, name));
      expect(bytes.length).toBeGreaterThan(100);
      bytes[bytes.length >> 1]! ^= 255;
      replace(join(of, name), bytes);
    }
    expect(await stored(kind, cache, store(3))).toBe(3);
    const whole = new KernelCache(of);
    for (const name of entries) expect(whole.find(name)).toBe(join(of, name));
    for (const name of entries) writeFileSync(join(of, `${name}.sum`), "");
    expect(await stored(kind, cache, store(3))).toBe(3);
  });

  it("are shared by processes that make them at the same time", async () => {
    const cache = newFolder();
    const here = fileURLToPath(new URL(".", import.meta.url));
    const script = join(here, "cache-process.ts");
    const run = promisify(execFile);
    const results = await Promise.all(
      [1, 2, 3].map(() =>
        run(process.execPath, ["--import", "tsx", script, cache, "native"], { cwd: join(here, "../..") }),
      ),
    );
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(["7", "7", "7"]);
    const left = readdirSync(join(cache, "native"));
    expect(left.filter((name) => name.startsWith("."))).toEqual([]);
    const entries = new KernelCache(join(cache, "native"));
    for (const name of left) if (!name.endsWith(".sum")) expect(entries.find(name)).not.toBeNull();
  });

  it.each(kinds)("are made without a word on the user's terminal (%s)", async (kind) => {
    const here = fileURLToPath(new URL(".", import.meta.url));
    const args = ["--import", "tsx", join(here, "cache-process.ts"), newFolder(), kind];
    const said = await promisify(execFile)(process.execPath, args, { cwd: join(here, "../..") });
    expect(said).toEqual({ stdout: "7\n", stderr: "" });
  });

  it.each(kinds)(
    "are not kept where nothing can be written, which the description says (%s)",
    async (kind) => {
      const file = join(newFolder(), "file");
      writeFileSync(file, "");
      const cacheFolder = join(file, "below");
      expect(await stored(kind, cacheFolder, store(5))).toBe(5);
      const device = await openCpuDevice({ kind, threads: 1, cacheFolder });
      expect(device.description).toContain("kernels are not kept: ENOTDIR");
      device.close();
    },
  );

  it("lose what ended processes left, and nothing that may still be in use", () => {
    const place = newFolder();
    const [old, young] = [join(place, ".making-old"), join(place, ".making-young")];
    for (const path of [old, young]) {
      mkdirSync(path);
      writeFileSync(join(path, "half.o"), "");
    }
    const before = Date.now() / 1000 - 7200;
    utimesSync(old, before, before);
    expect(new KernelCache(place).problem).toBeNull();
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
  });

  it("have names that no two lists of parts share", () => {
    const lists = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["é"], ["e"], []];
    expect(new Set(lists.map(keyOf)).size).toBe(lists.length);
  });
});
