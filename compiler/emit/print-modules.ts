/** Makes TypeScript files with ts-morph and formats them with prettier. */
import { format } from "prettier";
import { Project, type SourceFile } from "ts-morph";
import type { ModelText } from "./emit-model.ts";
import { commentText } from "./typescript.ts";

/** One file of an emitted project before it is printed. */
export interface Module {
  readonly path: string;
  readonly header: string;
  readonly imports: readonly {
    readonly from: string;
    readonly names: readonly string[];
    readonly typeOnly?: boolean;
  }[];
  readonly statements: readonly string[];
}

function start(project: Project, module: Module): SourceFile {
  const file = project.createSourceFile(module.path);
  for (const { from, names, typeOnly } of module.imports) {
    file.addImportDeclaration({
      moduleSpecifier: from,
      namedImports: [...names],
      isTypeOnly: typeOnly ?? false,
    });
  }
  return file;
}

/** The text of a file under a comment that says what it is. */
export const printed = (file: SourceFile, header: string): Promise<string> =>
  format(`/** ${commentText(header)} */\n${file.getFullText()}`, { parser: "typescript", printWidth: 110 });

/** A module of plain statements. */
export async function printModule(module: Module): Promise<string> {
  const file = start(new Project({ useInMemoryFileSystem: true }), module);
  file.addStatements((writer) => module.statements.forEach((statement) => writer.writeLine(statement)));
  return printed(file, module.header);
}

/** model.ts: declarations, one function per phase, and the finished program as its export. */
export async function printModel(text: ModelText, runtimePath: string): Promise<string> {
  const file = start(new Project({ useInMemoryFileSystem: true }), {
    path: "model.ts",
    header: text.header,
    imports: [
      { from: runtimePath, names: text.imports },
      { from: runtimePath, names: ["PhaseWriter"], typeOnly: true },
    ],
    statements: [],
  });
  file.addStatements((writer) => {
    writer.blankLine();
    text.declarations.forEach((line) => (line === "" ? writer.blankLine() : writer.writeLine(line)));
  });
  for (const phase of text.functions) {
    file.addFunction({
      name: phase.name,
      docs: [phase.purpose],
      parameters: [{ name: "run", type: "PhaseWriter" }],
      returnType: "void",
      statements: (writer) =>
        phase.statements.forEach((line) => (line === "" ? writer.blankLine() : writer.writeLine(line))),
    });
  }
  file.addStatements((writer) => text.closing.forEach((line) => writer.writeLine(line)));
  file.addStatements("/** What the trainer runs. */\nexport const model = program.finish();");
  return printed(file, text.header);
}
