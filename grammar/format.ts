/** Formats the text of a spec. */
import { parseFile } from "./parse.ts";
import { printFile } from "./print-ast.ts";

/** Line breaks as `\n`, no byte order mark. */
const normalised = (text: string): string => text.replace(/^\ufeff/, "").replaceAll(/\r\n?/g, "\n");

/**
 * The canonical text of a spec; formatting it again changes nothing. A text with syntax errors comes back as it is: what
 * could not be read cannot be printed.
 */
export function formatText(text: string, path = "spec.lctx"): Promise<string> {
  return Promise.resolve(formatSync(text, path));
}

export function formatSync(text: string, path: string): string {
  const clean = normalised(text);
  const { file, diagnostics } = parseFile(path, clean);
  if (diagnostics.some((diagnostic) => diagnostic.severity === "error")) return text;
  return printFile(file, clean);
}
