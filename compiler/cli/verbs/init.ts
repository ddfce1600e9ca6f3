/** `lctx init`: a starter spec in a folder, from an example. Never overwrites. */
import {
  copyFileSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { listExamples } from "./examples.ts";

const defaultTemplate = "moby-dick";

/** Local files that a spec's `data` lines name, relative to it. */
function dataFiles(specPath: string): readonly { readonly name: string; readonly path: string }[] {
  const text = readFileSync(specPath, "utf8");
  return [...text.matchAll(/^\s*data\s+tokens\s+"([^"\n]+)"/gm)]
    .map((match) => ({ name: match[1]!, path: resolve(dirname(specPath), match[1]!) }))
    .filter(({ path }) => existsSync(path));
}

/** Specs of an example's folder beside its own: the one that trains the weights it takes, and others for these weights. */
function specsBeside(specPath: string): readonly string[] {
  if (basename(specPath) !== "spec.lctx") return [];
  const folder = dirname(specPath);
  const others = readdirSync(folder).filter((name) => name.endsWith(".lctx") && name !== "spec.lctx");
  return others.sort().map((name) => join(folder, name));
}

export async function init(folder: string, options: { readonly template?: string }): Promise<number> {
  const all = listExamples();
  const name = options.template ?? defaultTemplate;
  const example = all.find((candidate) => candidate.name === name);
  if (example === undefined)
    throw new UsageError(
      `no example is called ${JSON.stringify(name)}`,
      `there are: ${all.map((each) => each.name).join(", ")}`,
    );
  const target = resolve(folder);
  const spec = join(target, `${name}.lctx`);
  const beside = specsBeside(example.path);
  const copies = [
    { from: example.path, to: spec },
    ...beside.map((path) => ({ from: path, to: join(target, basename(path)) })),
  ];
  for (const { to } of copies)
    if (existsSync(to))
      throw new UsageError(`${relative(process.cwd(), to)} is there already`, "choose another folder");
  mkdirSync(target, { recursive: true });
  const written: string[] = [];
  for (const { from, to } of copies) {
    let text = readFileSync(from, "utf8");
    written.push(to);
    for (const data of dataFiles(from)) {
      const base = data.name.split("/").at(-1)!;
      const copy = join(target, base);
      if (!existsSync(copy)) {
        copyFileSync(data.path, copy, constants.COPYFILE_EXCL);
        written.push(copy);
      }
      text = text.replaceAll(`"${data.name}"`, `"${base}"`);
    }
    writeFileSync(to, text, { flag: "wx" });
  }
  const shown = (path: string): string => relative(process.cwd(), path) || path;
  process.stdout.write(`${written.map((path) => `wrote ${shown(path)}`).join("\n")}\n\n`);
  const trained = copies.find(({ to }) => basename(to) === "base.lctx")?.to ?? spec;
  process.stdout.write(`Next:\n  lctx check ${shown(spec)}\n  lctx train ${shown(trained)}\n`);
  if (trained !== spec) process.stdout.write(`  lctx eval <run> --spec ${shown(spec)}\n`);
  return exitCodes.ok;
}
