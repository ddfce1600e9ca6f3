/** Emitted TensorFlow.js projects: strict TypeScript, the packages they name, and what is refused at the user's line. */
import { mkdtempSync, readFileSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { afterAll, expect, it } from "vitest";
import { checkSpec, compileRecipe } from "../../compiler/compile.ts";
import { openChecked, pickRecipe } from "../../compiler/cli/checked-spec.ts";
import { packageRoot } from "../../compiler/cli/paths.ts";
import { writeProject } from "../../compiler/cli/write-project.ts";
import { Reporter } from "../../compiler/diagnostics/reporter.ts";
import { printTfjsModel } from "../../compiler/emit/emit-tfjs.ts";
import { refuseTfjs } from "../../compiler/refuse-tfjs.ts";
import { tfjsModule } from "../../compiler/tfjs-module.ts";
import { diskHost } from "../support/check-text.ts";

const root = packageRoot();
const folder = mkdtempSync(join(tmpdir(), "lctx-emitted-"));
afterAll(() => rmSync(folder, { recursive: true }));

function compiled(spec: string) {
  const opened = openChecked(join(root, spec), []);
  const reporter = new Reporter();
  const found = compileRecipe(pickRecipe(opened.project, undefined), reporter);
  expect(reporter.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  return { found: found!, opened };
}

/** Strict options of an emitted project. */
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  noEmit: true,
  types: ["node"],
};

it("models are strict TypeScript", async () => {
  // Weights by case with two normalisers, and a selection with a teacher.
  const specs = ["landmark", "seer-gate"].map((name) => `examples/${name}/spec.lctx`);
  const texts = new Map<string, string>();
  for (const [n, spec] of specs.entries()) {
    const [stage] = compiled(spec).found.stages;
    const module = tfjsModule(stage!.graphs, stage!.update);
    const text = await printTfjsModel(stage!.program, module, spec, "../../runtime/tfjs/index.ts");
    texts.set(resolve(root, `tests/tfjs/emitted-${n}.ts`), text);
  }
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.getSourceFile = (path, version, ...more) => {
    const text = texts.get(path);
    return text === undefined
      ? getSourceFile(path, version, ...more)
      : ts.createSourceFile(path, text, version, true);
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  const wrong = [...texts.keys()].flatMap((path) => {
    const file = program.getSourceFile(path)!;
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ messageText, start }) => {
        const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
        return `${path}:${line + 1} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
      },
    );
  });
  expect(wrong).toEqual([]);
});

it("a project names the package that is fastest and needs none but those that run anywhere", async () => {
  const { found, opened } = compiled("examples/sink-window/spec.lctx");
  await writeProject(folder, found, opened.checked.sources, "spec.lctx", "tfjs");
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<
    string,
    Record<string, string>
  >;
  expect(Object.keys(manifest["optionalDependencies"]!)).toEqual(["@tensorflow/tfjs-node-gpu"]);
  const needed = Object.keys(manifest["dependencies"]!).filter((name) => name.startsWith("@tensorflow/"));
  expect(needed).toEqual([
    "@tensorflow/tfjs-backend-cpu",
    "@tensorflow/tfjs-backend-wasm",
    "@tensorflow/tfjs-core",
  ]);
  expect(existsSync(join(folder, "kernels"))).toBe(false);
  const engines = readFileSync(join(folder, "runtime/project/engines.ts"), "utf8");
  expect([...engines.matchAll(/import\("(.+?)"\)/g)].map((match) => match[1])).toEqual(["../tfjs/engine.ts"]);
  const cpu = join(folder, "cpu");
  await writeProject(cpu, found, opened.checked.sources, "spec.lctx");
  expect(existsSync(join(cpu, "runtime/tfjs"))).toBe(false);
  const imports = readFileSync(join(cpu, "runtime/project/engines.ts"), "utf8");
  for (const match of imports.matchAll(/import\("(.+?)"\)/g))
    expect(existsSync(join(dirname(join(cpu, "runtime/project/engines.ts")), match[1]!))).toBe(true);
});

it("a table with more axes than tensors have is refused where it is declared", () => {
  const text = `attention Wide() {
  mask k <= q
  param bias[h, u: 2, v: 2, w: 2, x: 2, y: 2, z: 2] = zeros
  score = s + bias[h, 0, 0, 0, 0, 0, 0]
}
model Small = decoder { vocab 64   layers 1   heads 2   width 8   length 16   attention Wide() }
train Small {
  data       tokens "text.txt" length 16
  loss       next_token
  optimizer  adamw(lr: 1e-3)
  schedule   constant over 100
  batch      4 sequences
}
`;
  const checked = checkSpec("wide.lctx", text, diskHost);
  const found = compileRecipe(pickRecipe(checked.project!, undefined), new Reporter());
  const refused = new Reporter();
  refuseTfjs(Object.values(found!.stages[0]!.graphs), refused);
  expect(refused.diagnostics.map(({ code }) => code)).toEqual(["tfjs-rank"]);
  const { span } = refused.diagnostics[0]!.primary;
  expect(text.slice(span.start, span.end)).toContain("bias[h, u: 2");
});
