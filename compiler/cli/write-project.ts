/** Writes the project of a compiled recipe into a folder: what `emit` makes, and the runtime's own sources. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Compiled } from "../compile.ts";
import { tfjsModule } from "../tfjs-module.ts";
import { packageRoot } from "./paths.ts";

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

/** Packages that run TensorFlow.js programs anywhere, and the one that is fastest where it can be installed. */
const tfjsPackages = [
  "@tensorflow/tfjs-backend-cpu",
  "@tensorflow/tfjs-backend-wasm",
  "@tensorflow/tfjs-core",
];
const tfjsDefault = "@tensorflow/tfjs-node-gpu";

/** The file of targets with one of them left: that which the project was written for. */
const onlyTarget = (text: string, target: ProjectTarget): string =>
  text
    .split("\n")
    .filter((line) => {
      const name = /^  (\w+): \{ kernels/.exec(line)?.[1];
      return name === undefined || name === target;
    })
    .join("\n");

export type ProjectTarget = "cpu" | "cuda" | "tfjs";

/** Writes a project of a compiled recipe into a folder: TypeScript, kernels, the runtime's sources. */
export async function writeProject(
  folder: string,
  compiled: Compiled,
  specs: ReadonlyMap<string, string>,
  source: string,
  target: ProjectTarget = "cpu",
): Promise<void> {
  const onTfjs = target === "tfjs";
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
    stages: compiled.stages.map((stage) => ({
      ...stage,
      module: onTfjs ? tfjsModule(stage.graphs, stage.update) : null,
    })),
    specs: Object.fromEntries(
      [...specs].filter(([path]) => !path.startsWith("..") && !path.includes(":")).map(([p, t]) => [p, t]),
    ),
    dependencies: versions([...(onTfjs ? tfjsPackages : []), ...runtimePackages, "tsx"], dependencies!),
    optionalDependencies: versions([onTfjs ? tfjsDefault : "@yowasp/clang"], optionalDependencies!),
    devDependencies: versions(["typescript", "@types/node", "@types/cli-progress"], devDependencies!),
  });
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    if (relative(folder, path).startsWith("..")) throw new Error(`${name} lies outside the project`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const tfjs = join(root, "runtime/tfjs");
  cpSync(join(root, "runtime"), join(folder, "runtime"), {
    recursive: true,
    filter: (path) => onTfjs || path !== tfjs,
  });
  const engines = "runtime/project/engines.ts";
  writeFileSync(join(folder, engines), onlyTarget(readFileSync(join(root, engines), "utf8"), target));
}
