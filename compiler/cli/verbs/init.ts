/** `lctx init`: a starter spec in a folder, from an example. Never overwrites. */
import { copyFileSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
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
  if (existsSync(spec))
    throw new UsageError(`${relative(process.cwd(), spec)} is there already`, "choose another folder");
  mkdirSync(target, { recursive: true });
  let text = readFileSync(example.path, "utf8");
  const written = [spec];
  for (const data of dataFiles(example.path)) {
    const base = data.name.split("/").at(-1)!;
    const copy = join(target, base);
    if (!existsSync(copy)) {
      copyFileSync(data.path, copy, constants.COPYFILE_EXCL);
      written.push(copy);
    }
    text = text.replaceAll(`"${data.name}"`, `"${base}"`);
  }
  writeFileSync(spec, text, { flag: "wx" });
  const shown = (path: string): string => relative(process.cwd(), path) || path;
  process.stdout.write(`${written.map((path) => `wrote ${shown(path)}`).join("\n")}\n\n`);
  process.stdout.write(`Next:\n  lctx check ${shown(spec)}\n  lctx train ${shown(spec)}\n`);
  return exitCodes.ok;
}
