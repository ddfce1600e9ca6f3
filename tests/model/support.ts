/** Reads specs for model tests: the library from stdlib/, the file from a text. */
import { readFileSync, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseFile } from "../../grammar/parse.ts";
import type { AstFile } from "../../grammar/ast.ts";
import type { Definition, Environment } from "../../compiler/check/environment.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { elaborateModel } from "../../compiler/check/model/elaborate.ts";
import type { Methods, Model } from "../../compiler/check/model/model.ts";
import * as ir from "../../compiler/ir/expr.ts";

const root = resolve(import.meta.dirname, "../..");
const library = new Map<string, Environment>();

function libraryEnvironment(path: readonly string[]): Environment {
  const file = join(root, "stdlib", ...path.slice(1)) + ".lctx";
  const known = library.get(file);
  if (known !== undefined) return known;
  if (!existsSync(file)) throw new Error(`no library file ${file}`);
  const parsed = parseFile(path.join("."), readFileSync(file, "utf8"));
  if (parsed.diagnostics.length > 0) throw new Error(`${file}: ${JSON.stringify(parsed.diagnostics[0])}`);
  const environment = environmentOf(parsed.file, false);
  library.set(file, environment);
  return environment;
}

export function environmentOf(file: AstFile, prelude = true): Environment {
  const names = new Map<string, Definition>();
  const environment: Environment = {
    file,
    names,
    prelude: new Map(),
    library: () => new Map(),
    readBeside: () => null,
  };
  for (const item of file.items) {
    if ("name" in item) names.set(item.name.text, { name: item.name.text, item, environment });
    if (item.kind === "pretrained")
      names.set(JSON.stringify(item.id.value), { name: item.id.value, item, environment });
  }
  for (const item of file.items) {
    if (item.kind !== "import" || item.from.kind !== "library") continue;
    const from = libraryEnvironment(item.from.path.map((part) => part.text));
    for (const name of item.names) {
      const definition = from.names.get(name.text);
      if (definition === undefined) throw new Error(`${file.path}: no ${name.text}`);
      if (!names.has(name.text)) names.set(name.text, definition);
    }
  }
  if (prelude) {
    for (const [name, definition] of libraryEnvironment(["std", "prelude"]).names)
      if (!names.has(name)) names.set(name, definition);
    for (const [name, definition] of libraryEnvironment(["std", "models", "pretrained"]).names)
      if (name.startsWith('"')) names.set(name, definition);
  }
  return environment;
}

const q = ir.index("q");
const k = ir.index("k");

/** Causal attention and plain rotations, whatever is asked. */
export const plainMethods: Methods = {
  instantiateAttention(value) {
    const visible = value.arguments.get("visible");
    const meaning = {
      mask: ir.le(k, q),
      score: ir.logit,
      weight: null,
      teachers: [],
      buffers: [],
      regions: [{ when: ir.bool(true), queryPosition: q, keyPosition: k, turn: null }],
      ahead: visible?.kind === "number" ? ir.lt(k, ir.int(visible.value)) : null,
      unsupported: [],
    };
    return { parameters: [], phases: { training: meaning, evaluation: meaning, decoding: meaning } };
  },
  instantiateRotation(value, dims) {
    const base = value.arguments.get("base");
    const angle = ir.binary(
      "pow",
      ir.real(base?.kind === "number" ? base.value : 10_000),
      ir.div(ir.mul(ir.real(-2), ir.toReal(ir.index("m"))), ir.real(dims)),
    );
    return { angle, scale: ir.real(1), layout: "half", rotated: dims };
  },
};

export function elaborate(
  text: string,
  methods: Methods = plainMethods,
): { model: Model | null; reporter: Reporter } {
  const reporter = new Reporter();
  const { file, diagnostics } = parseFile("spec.lctx", text);
  reporter.addAll(diagnostics);
  const environment = environmentOf(file);
  const item = file.items.find((candidate) => candidate.kind === "model");
  const model = item === undefined ? null : elaborateModel(item, environment, reporter, methods);
  return { model, reporter };
}
