/** Builds a spec's project into the cache, or finds it there: the key is every text that went in. */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Project } from "../../runtime/project/project.ts";
import type { Program } from "../../runtime/program.ts";
import type { TrainSettings } from "../../runtime/train/settings.ts";
import { readKernels } from "../../runtime/project/project.ts";
import { compileRecipe, type Compiled } from "../compile.ts";
import { Reporter } from "../diagnostics/reporter.ts";
import { openChecked, pickRecipe, sourcesOf } from "./checked-spec.ts";
import { openSpec } from "./host.ts";
import { cacheFolder, packageRoot, version as packageVersion } from "./paths.ts";
import { printDiagnostics } from "./print-diagnostics.ts";

/** A built project on the disk. */
export interface Built {
  readonly folder: string;
  readonly project: Project;
  /** False when it was made now. */
  readonly cached: boolean;
  readonly specText: string;
  /** What went in, for a run's lock: this package's version, hashes of the specs and of the whole build. */
  readonly lock: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly version: string;
  readonly specs: readonly { readonly path: string; readonly hash: string }[];
  readonly stages: readonly string[];
}

const hash = (text: string | Uint8Array): string => createHash("sha256").update(text).digest("hex");

/** Changes whenever this package's code or library does. */
function toolVersion(): string {
  const root = packageRoot();
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const bundle = join(root, "dist/cli.js");
  const built = existsSync(bundle) ? statSync(bundle).mtimeMs : 0;
  const library = ["masks", "scores", "attention", "layers", "optimizers", "adapters", "models/decoder"]
    .map((name) => statSync(join(root, "stdlib", `${name}.lctx`), { throwIfNoEntry: false })?.mtimeMs ?? 0)
    .join();
  return `${version}:${built}:${library}`;
}

/** Where the build of a spec with these choices lies. */
function placeOf(path: string, model: string | undefined, overrides: readonly string[]): string {
  const id = hash(JSON.stringify([resolve(path), model ?? null, overrides])).slice(0, 24);
  return join(cacheFolder(), "projects", id);
}

async function load(folder: string, manifest: Manifest, dataFolder: string): Promise<Project> {
  const stages = await Promise.all(
    manifest.stages.map(async (kernels, n) => {
      const url = pathToFileURL(join(folder, `model-${n + 1}.mjs`)).href;
      const { model } = (await import(url)) as { model: Program };
      return { program: model, kernels: readKernels(join(folder, kernels)) };
    }),
  );
  const settings = JSON.parse(readFileSync(join(folder, "settings.json"), "utf8")) as TrainSettings;
  return { settings, stages, dataFolder };
}

/** The manifest of a build whose texts are all unchanged, or null. */
function freshManifest(folder: string, version: string): Manifest | null {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Manifest;
    if (manifest.version !== version) return null;
    for (const spec of manifest.specs) if (hash(readFileSync(spec.path)) !== spec.hash) return null;
    return manifest;
  } catch {
    return null;
  }
}

/** A finished build; null when the spec has errors, which were printed. */
export async function buildSpec(
  path: string,
  model: string | undefined,
  overrides: readonly string[],
): Promise<Built | null> {
  const spec = openSpec(path);
  const dataFolder = dirname(spec.absolutePath);
  const version = toolVersion();
  const folder = placeOf(path, model, overrides);
  const known = freshManifest(folder, version);
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
  if (known !== null)
    return {
      folder,
      project: await load(folder, known, dataFolder),
      cached: true,
      specText: spec.text,
      lock: lockOf(known),
    };
  const opened = openChecked(path, overrides);
  const recipe = pickRecipe(opened.project, model);
  const reporter = new Reporter();
  const compiled = compileRecipe(recipe, reporter);
  printDiagnostics(reporter.diagnostics, sourcesOf(opened.checked, overrides), "text");
  if (compiled === null) return null;
  const manifest = await writeBuild(folder, compiled, opened.checked.sources, spec.path, version);
  return {
    folder,
    project: await load(folder, manifest, dataFolder),
    cached: false,
    specText: spec.text,
    lock: lockOf(manifest),
  };
}

/** Packages that the runtime imports; the others belong to the compiler. */
const runtimePackages = [
  "@aws-crypto/crc32c",
  "@huggingface/tokenizers",
  "cli-progress",
  "hyparquet",
  "koffi",
  "picocolors",
  "protobufjs",
  "zod",
];

/** Writes a project of a compiled recipe into a folder: TypeScript, kernels, the runtime's sources. */
export async function writeProject(
  folder: string,
  compiled: Compiled,
  specs: ReadonlyMap<string, string>,
  source: string,
): Promise<void> {
  const { emitProject } = await import("../emit/emit-project.ts");
  const root = packageRoot();
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  ) as Record<string, Record<string, string>>;
  const versions = (names: readonly string[], from: Record<string, string>): Record<string, string> =>
    Object.fromEntries(names.filter((name) => name in from).map((name) => [name, from[name]!]));
  const files = await emitProject({
    name: compiled.settings.model,
    source,
    settings: compiled.settings,
    stages: compiled.stages,
    specs: Object.fromEntries(
      [...specs].filter(([path]) => !path.startsWith("..") && !path.includes(":")).map(([p, t]) => [p, t]),
    ),
    dependencies: { ...versions(runtimePackages, dependencies!), ...versions(["tsx"], dependencies!) },
    optionalDependencies: versions(["@yowasp/clang"], optionalDependencies!),
    devDependencies: versions(["typescript", "@types/node", "@types/cli-progress"], devDependencies!),
  });
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    if (relative(folder, path).startsWith("..")) throw new Error(`${name} lies outside the project`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  cpSync(join(root, "runtime"), join(folder, "runtime"), { recursive: true });
}

async function writeBuild(
  folder: string,
  compiled: Compiled,
  sources: ReadonlyMap<string, string>,
  source: string,
  version: string,
): Promise<Manifest> {
  mkdirSync(dirname(folder), { recursive: true });
  const making = mkdtempSync(`${folder}-`);
  try {
    await writeProject(making, compiled, sources, source);
    const { build } = await import("esbuild");
    const single = compiled.stages.length === 1;
    const names = compiled.settings.stages.map((stage, n) =>
      single
        ? { model: "model", kernels: "kernels" }
        : {
            model: `model-${n + 1}-${stage.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`,
            kernels: `kernels-${n + 1}-${stage.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`,
          },
    );
    await build({
      entryPoints: Object.fromEntries(
        names.map(({ model }, n) => [`model-${n + 1}`, join(making, `${model}.ts`)]),
      ),
      outdir: making,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      format: "esm",
      platform: "node",
      logLevel: "silent",
    });
    writeFileSync(join(making, "settings.json"), JSON.stringify(compiled.settings));
    const manifest: Manifest = {
      version,
      specs: [...sources].map(([path, text]) => ({ path: resolve(path), hash: hash(text) })),
      stages: names.map(({ kernels }) => kernels),
    };
    writeFileSync(join(making, "manifest.json"), JSON.stringify(manifest));
    rmSync(folder, { recursive: true, force: true });
    renameSync(making, folder);
    return manifest;
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    // Another process finished the same build first.
    const theirs = freshManifest(folder, version);
    if (theirs !== null) return theirs;
    throw error;
  }
}
