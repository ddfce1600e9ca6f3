/** The compiler as a library. */
export { checkSpec, compileRecipe, stageGraphs } from "./compile.ts";
export type { Checked, Compiled, CompiledStage, StageGraphs } from "./compile.ts";
export type { SourceHost } from "./check/environment.ts";
export type { Diagnostic, Label, Severity } from "./diagnostics/diagnostic.ts";
export { Reporter } from "./diagnostics/reporter.ts";
export { render } from "./diagnostics/render.ts";
export { SourceFile } from "./source/source-file.ts";
