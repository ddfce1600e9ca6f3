/** Finds a spec's build in the cache, or makes it: programs, kernels and settings; the key is every text that went in. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { parseStage, stageText, type Project } from "../../runtime/project/project.ts";
import type { TrainSettings } from "../../runtime/train/settings.ts";
import type { FreshBuild } from "./build-fresh.ts";
import { openSpec } from "./host.ts";
import { cacheFolder, packageRoot, version as packageVersion } from "./paths.ts";

/** A spec that is ready to run. */
export interface Built {
  readonly project: Project;
  /** False when it was made now. */
  readonly cached: boolean;
  readonly specText: string;
  /** Texts of the spec and of the project's files it imports, by path below the folder that holds them all. */
  readonly specs: ReadonlyMap<string, string>;
  /** The spec's own path among them. */
  readonly specPath: string;
  /** What went in, for a run's lock: this package's version, hashes of the specs and of the whole build. */
  readonly lock: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly version: string;
  readonly specs: readonly { readonly path: string; readonly hash: string }[];
  /** Hashes of what was made, the settings and then each stage: a file cut short by a crash is made anew. */
  readonly made: readonly string[];
}

const hash = (text: string | Uint8Array): string => createHash("sha256").update(text).digest("hex");

/** Changes whenever this package's code or library does. */
function toolVersion(): string {
  const root = packageRoot();
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const bundle = join(root, "dist/cli.cjs");
  const built = existsSync(bundle) ? statSync(bundle).mtimeMs : 0;
  const library = readdirSync(join(root, "stdlib"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".lctx"))
    .sort()
    .map((name) => `${name} ${statSync(join(root, "stdlib", name)).mtimeMs}`)
    .join();
  return `${version}:${built}:${library}`;
}

/** Where the build of a spec with these choices lies. */
function placeOf(
  path: string,
  model: string | undefined,
  overrides: readonly string[],
  target: string,
): string {
  const id = hash(JSON.stringify([resolve(path), model ?? null, overrides, target])).slice(0, 24);
  return join(cacheFolder(), "builds", id);
}

const madeFile = (n: number): string => (n === 0 ? "settings.json" : `program-${n}.json`);

/** Texts of what a manifest lists; null where one is not what was made. */
function madeTexts(folder: string, manifest: Manifest): readonly string[] | null {
  const texts = manifest.made.map((_, n) => readFileSync(join(folder, madeFile(n)), "utf8"));
  return texts.every((text, n) => hash(text) === manifest.made[n]) ? texts : null;
}

function parseProject(folder: string, [settings, ...stages]: readonly string[], dataFolder: string): Project {
  return {
    settings: JSON.parse(settings!) as TrainSettings,
    stages: stages.map((text, n) => parseStage(text, join(folder, madeFile(n + 1)))),
    dataFolder,
  };
}

/** A build in the cache: its manifest and the texts of what was made. */
interface Found {
  readonly manifest: Manifest;
  readonly texts: readonly string[];
  /** In the manifest's order. */
  readonly specTexts: readonly string[];
}

/** The folder that holds all of some files. */
function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]!);
  while (paths.some((path) => relative(folder, path).startsWith(".."))) folder = dirname(folder);
  return folder;
}

/** A build whose texts are all unchanged, or null. */
function find(folder: string, version: string): Found | null {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Manifest;
    if (manifest.version !== version) return null;
    const specTexts = manifest.specs.map(({ path }) => readFileSync(path, "utf8"));
    if (specTexts.some((text, n) => hash(text) !== manifest.specs[n]!.hash)) return null;
    const texts = madeTexts(folder, manifest);
    return texts === null ? null : { manifest, texts, specTexts };
  } catch {
    return null;
  }
}

/** A finished build; null when the spec has errors, which were printed. */
export async function buildSpec(
  path: string,
  model: string | undefined,
  overrides: readonly string[],
  target = "cpu",
): Promise<Built | null> {
  // What a target's backends are does not matter to what is built.
  const [built] = target.split(":") as [string];
  const spec = openSpec(path);
  const dataFolder = dirname(spec.absolutePath);
  const version = toolVersion();
  const folder = placeOf(path, model, overrides, built);
  const lockOf = (manifest: Manifest): Record<string, string> => ({
    lctx: packageVersion(),
    build: hash(JSON.stringify(manifest)),
    ...Object.fromEntries(
      manifest.specs.map((each) => [
        `spec.${relative(dataFolder, each.path).replaceAll("\\", "/")}`,
        each.hash,
      ]),
    ),
  });
  const finished = ({ manifest, texts, specTexts }: Found, cached: boolean): Built => {
    const base = commonFolder([spec.absolutePath, ...manifest.specs.map((each) => each.path)]);
    const below = (path: string): string => relative(base, path).split(sep).join("/");
    return {
      project: parseProject(folder, texts, dataFolder),
      cached,
      specText: spec.text,
      specs: new Map(manifest.specs.map((each, n) => [below(each.path), specTexts[n]!])),
      specPath: below(spec.absolutePath),
      lock: lockOf(manifest),
    };
  };
  const known = find(folder, version);
  if (known !== null) return finished(known, true);
  const { buildFresh } = await import("./build-fresh.ts");
  const fresh = buildFresh(path, model, overrides, built);
  if (fresh === null) return null;
  return finished(writeBuild(folder, fresh, version), false);
}

function writeBuild(folder: string, { settings, stages, sources }: FreshBuild, version: string): Found {
  mkdirSync(dirname(folder), { recursive: true });
  const making = mkdtempSync(`${folder}-`);
  try {
    const texts = [JSON.stringify(settings), ...stages.map(stageText)];
    texts.forEach((text, n) => writeFileSync(join(making, madeFile(n)), text));
    const manifest: Manifest = {
      version,
      specs: [...sources].map(([path, text]) => ({ path: resolve(path), hash: hash(text) })),
      made: texts.map(hash),
    };
    writeFileSync(join(making, "manifest.json"), JSON.stringify(manifest));
    rmSync(folder, { recursive: true, force: true });
    renameSync(making, folder);
    return { manifest, texts, specTexts: [...sources.values()] };
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    // Another process finished the same build first.
    const theirs = find(folder, version);
    if (theirs !== null) return theirs;
    throw error;
  }
}
