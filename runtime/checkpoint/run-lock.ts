/** Run lock: one trainer at a time in a run's folder. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LctxError, systemCode } from "../errors.ts";
import { writeFailure } from "./files.ts";

/** When a process started, so that a number used again by another process is not taken for it; empty where the system does not say. */
function startOf(pid: number): string {
  try {
    // Field 22, counted behind the name in brackets, which may hold spaces.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

function isRunning(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) !== "EPERM") return false;
  }
  return startOf(pid) === start;
}

/** Takes the lock and returns what gives it back. Throws LctxError `run-folder-in-use` while another process holds it. */
export function lockRun(folder: string): () => void {
  const path = join(folder, "run.lock");
  const mine = `${process.pid} ${startOf(process.pid)}\n`;
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw writeFailure(folder, cause);
  }
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(path, mine, { flag: "wx" });
      return () => {
        try {
          if (readFileSync(path, "utf8") === mine) rmSync(path, { force: true });
        } catch {
          // Gone already.
        }
      };
    } catch (cause) {
      if (systemCode(cause) !== "EEXIST") throw writeFailure(path, cause);
    }
    let holder = "";
    try {
      holder = readFileSync(path, "utf8").trim();
    } catch {
      continue;
    }
    const [pid = "", start = ""] = holder.split(" ");
    if (/^\d+$/.test(pid) && isRunning(Number(pid), start)) {
      throw new LctxError(
        "run-folder-in-use",
        `another process (${pid}) trains in ${folder}`,
        "wait for it, stop it, or name another folder with --run",
      );
    }
    rmSync(path, { force: true });
  }
  throw new LctxError(
    "run-folder-in-use",
    `the lock of ${folder} changes hands too quickly`,
    `remove ${path}`,
  );
}
