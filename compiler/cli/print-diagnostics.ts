/** Prints diagnostics in the form that was asked for. */
import pc from "picocolors";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { toGithub, toJson, toSarif } from "../diagnostics/formats.ts";
import { render } from "../diagnostics/render.ts";
import { mostShown } from "../diagnostics/reporter.ts";
import { SourceFile } from "../source/source-file.ts";
import { version } from "./paths.ts";

export type DiagnosticFormat = "text" | "json" | "sarif" | "github";

/** `texts` by path; what is not there is shown without code. */
export function printDiagnostics(
  diagnostics: readonly Diagnostic[],
  texts: ReadonlyMap<string, string>,
  format: DiagnosticFormat,
  stream: NodeJS.WritableStream = format === "text" ? process.stderr : process.stdout,
): void {
  const sources = new Map<string, SourceFile>();
  // A file that was not read has places too: an empty source keeps positions inside the file.
  for (const { primary, secondary } of diagnostics)
    for (const { span } of [primary, ...secondary])
      if (!sources.has(span.file))
        sources.set(span.file, new SourceFile(span.file, texts.get(span.file) ?? ""));
  switch (format) {
    case "json":
      stream.write(`${toJson(diagnostics, sources)}\n`);
      return;
    case "sarif":
      stream.write(`${toSarif(diagnostics, sources, version())}\n`);
      return;
    case "github":
      stream.write(`${toGithub(diagnostics, sources)}\n`);
      return;
    case "text":
      for (const diagnostic of diagnostics.slice(0, mostShown))
        stream.write(
          `${render(diagnostic, sources.get(diagnostic.primary.span.file)!, { color: pc.isColorSupported, sources })}\n\n`,
        );
      if (diagnostics.length > mostShown)
        stream.write(`${diagnostics.length - mostShown} more messages are not shown\n`);
      return;
    default:
      format satisfies never;
  }
}
