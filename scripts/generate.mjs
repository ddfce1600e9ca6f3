// Writes the generated files: message constructors, catalogue, reference page, grammar files, table of methods. `--check` only compares.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { register } from "tsx/esm/api";

register();
const root = resolve(import.meta.dirname, "..");
const folder = join(root, "compiler/diagnostics/messages");

const load = (path) => import(join(root, path));

function readAreas() {
  const names = readdirSync(folder).filter((name) => name.endsWith(".md") && name !== "README.md");
  return new Map(names.sort().map((name) => [name.slice(0, -3), readFileSync(join(folder, name), "utf8")]));
}

async function outputs(areas) {
  const generator = await load("compiler/diagnostics/generate-catalogue.ts");
  const entries = generator.mergeCatalogues(areas);
  const files = {
    "compiler/diagnostics/messages.gen.ts": generator.printConstructors(entries),
    "compiler/diagnostics/catalogue.gen.ts": generator.printCatalogue(entries),
    "docs/reference/messages.md": generator.printReference(entries),
  };
  if (existsSync(join(root, "grammar/generate-grammar.ts"))) {
    const grammar = await load("grammar/generate-grammar.ts");
    files["grammar/grammar.ebnf"] = grammar.printEbnf();
    files["grammar/lctx.tmLanguage.json"] = grammar.printTextMate();
  }
  const methods = await load("scripts/methods-page.ts");
  files["docs/methods.md"] = methods.printMethods(root);
  const tfjs = await load("scripts/tfjs-page.ts");
  files["docs/targets/tfjs.md"] = tfjs.printTfjsPage(root);
  return files;
}

/** Writes through a temporary file, so that a reader never sees half a file. */
function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

const check = process.argv.includes("--check");
for (let attempt = 0; attempt < 10; attempt++) {
  const areas = readAreas();
  let stale = 0;
  for (const [name, text] of Object.entries(await outputs(areas))) {
    const path = join(root, name);
    if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
    stale++;
    if (check) console.error(`${name} is not fresh: run npm run generate`);
    else write(path, text);
  }
  if (check) {
    process.exitCode = stale > 0 ? 1 : 0;
    break;
  }
  // Another run may have written an older text over this one, or an area may have changed meanwhile: look again.
  if (stale === 0) break;
}
