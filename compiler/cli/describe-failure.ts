/** What a verb's failure says and which code it ends with. */
import { exitCodes, SpecRefused, UsageError } from "./exit-codes.ts";

/** System errors that mean that the disk did not keep what it was given. */
const lostWrites: ReadonlySet<string> = new Set(["ENOSPC", "EIO", "EDQUOT", "EROFS", "EMFILE", "ENFILE"]);

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "its permissions forbid it",
  EPERM: "its permissions forbid it",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder",
  EEXIST: "it is there already",
  ENOTEMPTY: "it is not empty",
  ELOOP: "its links lead in a circle",
  ENAMETOOLONG: "the name is too long",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of the disk is used up",
  EROFS: "the disk cannot be written",
};

/** An error of the operating system about a path; null for any other. */
function systemFailure(error: unknown): { code: number; text: string } | null {
  const { code, path, syscall } = error as { code?: unknown; path?: unknown; syscall?: unknown };
  if (typeof code !== "string" || typeof path !== "string" || typeof syscall !== "string") return null;
  const lost = lostWrites.has(code);
  // Files are written under a passing name beside the one that was asked for.
  const shown = path.replace(/\.\d+\.tmp$/, "");
  return {
    code: lost ? exitCodes.durability : exitCodes.usage,
    text: `error: cannot ${syscall === "scandir" ? "list" : syscall} ${shown}: ${reasons[code] ?? code}`,
  };
}

/** Exit code and text of whatever a verb threw; an empty text when everything was said before. */
export function describeFailure(error: unknown): { code: number; text: string } {
  if (error instanceof SpecRefused) return { code: error.exitCode, text: "" };
  if (error instanceof UsageError)
    return {
      code: error.exitCode,
      text: `error: ${error.message}${error.help ? `\nhelp: ${error.help}` : ""}`,
    };
  // The runtime's own errors carry their exit code and a way out.
  const known = error as { exitCode?: unknown; code?: unknown; message?: unknown; help?: unknown };
  if (typeof known.exitCode === "number" && typeof known.message === "string") {
    const help = typeof known.help === "string" && known.help !== "" ? `\nhelp: ${known.help}` : "";
    return { code: known.exitCode, text: `error[${String(known.code)}]: ${known.message}${help}` };
  }
  const system = systemFailure(error);
  if (system !== null) return system;
  const detail = process.env["LCTX_TRACE"]
    ? String((error as Error).stack)
    : String((error as Error).message ?? error);
  return {
    code: exitCodes.internal,
    text: `internal error: ${detail}\nThis is a bug in lctx. Please report it with the spec; LCTX_TRACE=1 shows where it happened.`,
  };
}
