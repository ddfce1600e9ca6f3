/** Where CUDA's compilers may be: names, toolkit folders, and the folders of Python packages. */
import { readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

/** Paths that match a pattern in which `*` stands for part of one name; newest version first. */
export function expand(pattern: string): string[] {
  let paths = [pattern.startsWith("/") ? "/" : "."];
  for (const part of pattern.split("/").filter((name) => name !== "")) {
    if (!part.includes("*")) {
      paths = paths.map((path) => join(path, part));
      continue;
    }
    const [before, after] = [part.slice(0, part.indexOf("*")), part.slice(part.indexOf("*") + 1)];
    paths = paths.flatMap((path) =>
      namesIn(path)
        .filter((name) => name.length >= part.length - 1 && name.startsWith(before) && name.endsWith(after))
        .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
        .map((name) => join(path, name)),
    );
  }
  return paths;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const fromEnvironment = (...names: readonly string[]): string[] =>
  names.flatMap((name) => {
    const value = process.env[name];
    return value ? [value] : [];
  });

/** Folders of installed CUDA toolkits. */
export function toolkits(): string[] {
  return [
    ...fromEnvironment("CUDA_HOME", "CUDA_PATH"),
    "/usr/local/cuda",
    ...expand("/usr/local/cuda-*"),
    "/opt/cuda",
  ];
}

/** Prefixes of Python installations: of the environment in use, of each `python3` on the PATH, and the user's. */
function pythonPrefixes(): string[] {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) => {
    try {
      return [dirname(folder), dirname(dirname(realpathSync(join(folder, "python3"))))];
    } catch {
      return [];
    }
  });
  return [
    ...new Set([
      ...fromEnvironment("VIRTUAL_ENV", "CONDA_PREFIX"),
      ...onPath,
      join(homedir(), ".local"),
      "/usr/local",
      "/usr",
    ]),
  ];
}

/** Folders that may hold CUDA's run-time libraries, most wanted first. */
export function libraryFolders(): string[] {
  const system = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  return [
    ...toolkits().map((folder) => join(folder, "lib64")),
    ...pythonPrefixes().flatMap((prefix) =>
      ["site-packages", "dist-packages"].flatMap((packages) => [
        ...expand(join(prefix, "lib/python3*", packages, "nvidia/cu1*/lib")),
        ...expand(join(prefix, "lib/python3*", packages, "nvidia/cuda_nvrtc/lib")),
      ]),
    ),
    ...fromEnvironment("CONDA_PREFIX").map((prefix) => join(prefix, "lib")),
    join("/usr/lib", system),
    "/usr/lib64",
  ];
}
