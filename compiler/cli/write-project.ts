/** Writes the project of a compiled recipe into a folder: what `emit` makes, and the runtime's own sources. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Compiled } from "../compile.ts";
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
