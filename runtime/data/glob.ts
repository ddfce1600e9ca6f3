/** File patterns: `*`, `?`, `**`, `{a,b}`; matched against paths with `/`. */
import { readdirSync } from "node:fs";
import { join, sep } from "node:path";

export const isPattern = (text: string): boolean => /[*?{]/.test(text);

/** The pattern as a regular expression over whole paths; linear in what it matches, without nested repetition. */
export function patternToExpression(pattern: string): RegExp {
  let source = "";
  let braces = 0;
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === "*" && pattern[i + 1] === "*") {
      while (pattern[i + 1] === "*") i++;
      if (pattern[i + 1] === "/") {
        source += "(?:[^/]+/)*";
        i++;
      } else source += ".*";
    } else if (c === "*") source += "[^/]*";
    else if (c === "?") source += "[^/]";
    else if (c === "{" && pattern.includes("}", i)) {
      source += "(?:";
      braces++;
    } else if (c === "}" && braces > 0) {
      source += ")";
      braces--;
    } else if (c === "," && braces > 0) source += "|";
    else source += c.replace(/[.+^${}()|[\]\\/]/g, "\\$&");
  }
  return new RegExp(`^${source}${")".repeat(braces)}$`, "u");
}

/** Regular files under `folder`, as paths relative to it with `/`, in byte order; names that start with a dot are left out. */
export function filesUnder(folder: string): string[] {
  const found: string[] = [];
  const visit = (relative: string): void => {
    for (const entry of readdirSync(join(folder, relative), { withFileTypes: true })) {
      if (entry.name.startsWith(".")) continue;
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile()) found.push(path);
    }
  };
  visit("");
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Files that match an absolute pattern, in byte order. */
export function expandPattern(pattern: string): string[] {
  const parts = pattern.split(sep).join("/").split("/");
  const first = parts.findIndex(isPattern);
  const base = parts.slice(0, first).join("/") || "/";
  const expression = patternToExpression(parts.slice(first).join("/"));
  let files: string[];
  try {
    files = filesUnder(base);
  } catch {
    return [];
  }
  return files.filter((file) => expression.test(file)).map((file) => join(base, file));
}
