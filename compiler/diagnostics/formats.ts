/** Diagnostics for machines: JSON, SARIF 2.1.0 and GitHub workflow commands. */
import { SourceFile } from "../source/source-file.ts";
import type { Span } from "../source/span.ts";
import type { Diagnostic, Severity } from "./diagnostic.ts";

/** The files that diagnostics point into, by path. */
export type Sources = ReadonlyMap<string, SourceFile>;

function place(
  span: Span,
  sources: Sources,
): { line: number; column: number; endLine: number; endColumn: number } {
  const source = sources.get(span.file) ?? new SourceFile(span.file, "");
  const start = source.position(span.start);
  const end = source.position(span.end);
  return { line: start.line, column: start.column, endLine: end.line, endColumn: end.column };
}

/** One JSON array; offsets and columns are in UTF-16 units, lines and columns start at 1. */
export function toJson(diagnostics: readonly Diagnostic[], sources: Sources): string {
  const records = diagnostics.map((d) => ({
    code: d.code,
    severity: d.severity,
    message: d.title,
    file: d.primary.span.file,
    start: d.primary.span.start,
    end: d.primary.span.end,
    ...place(d.primary.span, sources),
    label: d.primary.label,
    related: d.secondary.map(({ span, label }) => ({
      file: span.file,
      start: span.start,
      end: span.end,
      ...place(span, sources),
      label,
    })),
    ...(d.help === null ? {} : { help: d.help }),
    ...(d.drawing === null ? {} : { drawing: d.drawing }),
    ...(d.fix === null
      ? {}
      : { fix: { file: d.fix.span.file, start: d.fix.span.start, end: d.fix.span.end, text: d.fix.text } }),
  }));
  return JSON.stringify(records, null, 2);
}

const sarifLevels: { readonly [S in Severity]: string } = {
  error: "error",
  warning: "warning",
  remark: "note",
};

/** A SARIF 2.1.0 log (OASIS, 2020) with one run. */
export function toSarif(diagnostics: readonly Diagnostic[], sources: Sources, version: string): string {
  const region = (span: Span): object => {
    const { line, column, endLine, endColumn } = place(span, sources);
    return { startLine: line, startColumn: column, endLine, endColumn };
  };
  const location = (span: Span): object => ({
    artifactLocation: { uri: span.file.split("/").map(encodeURIComponent).join("/") },
    region: region(span),
  });
  const codes = [...new Set(diagnostics.map((d) => d.code))].sort();
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "lctx", version, rules: codes.map((id) => ({ id })) } },
        columnKind: "utf16CodeUnits",
        results: diagnostics.map((d) => ({
          ruleId: d.code,
          ruleIndex: codes.indexOf(d.code),
          level: sarifLevels[d.severity],
          message: { text: d.help === null ? d.title : `${d.title}\nhelp: ${d.help}` },
          locations: [{ physicalLocation: location(d.primary.span) }],
          relatedLocations: d.secondary.map(({ span, label }, id) => ({
            id,
            physicalLocation: location(span),
            message: { text: label },
          })),
          ...(d.fix === null
            ? {}
            : {
                fixes: [
                  {
                    artifactChanges: [
                      {
                        artifactLocation: { uri: d.fix.span.file },
                        replacements: [
                          { deletedRegion: region(d.fix.span), insertedContent: { text: d.fix.text } },
                        ],
                      },
                    ],
                  },
                ],
              }),
        })),
      },
    ],
  };
  return JSON.stringify(log, null, 2);
}

const githubCommands: { readonly [S in Severity]: string } = {
  error: "error",
  warning: "warning",
  remark: "notice",
};

/** One GitHub workflow command a line, so that mistakes appear beside the changed lines of a pull request. */
export function toGithub(diagnostics: readonly Diagnostic[], sources: Sources): string {
  const data = (text: string): string =>
    text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  const property = (text: string): string => data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
  return diagnostics
    .map((d) => {
      const { line, column, endLine, endColumn } = place(d.primary.span, sources);
      const properties = {
        file: d.primary.span.file,
        line,
        endLine,
        ...(line === endLine ? { col: column, endColumn } : {}),
        title: d.code,
      };
      const list = Object.entries(properties).map(([name, value]) => `${name}=${property(String(value))}`);
      const text = d.help === null ? d.title : `${d.title}\nhelp: ${d.help}`;
      return `::${githubCommands[d.severity]} ${list.join(",")}::${data(text)}`;
    })
    .join("\n");
}
