#!/usr/bin/env node
// Runs the command line's bundle. V8's compiled code is kept from one start to the next, one file a verb: to compile
// the bundle anew takes longer than most verbs.
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, Script } from "node:vm";

const bundle = fileURLToPath(new URL("../dist/cli.cjs", import.meta.url));
const verb = process.argv[2] ?? "";
// A bundle built meanwhile has another time; another Node is V8's own business.
const codeFile = join(dirname(bundle), "code", `${verb}-${Math.round(statSync(bundle).mtimeMs)}`);

/** What an earlier start kept, or undefined. */
function keptCode() {
  try {
    return readFileSync(codeFile);
  } catch {
    return undefined;
  }
}

/** Keeps what was compiled until now; an installation that cannot be written to compiles each time. */
function keep(script) {
  try {
    mkdirSync(dirname(codeFile), { recursive: true });
    writeFileSync(`${codeFile}.${process.pid}`, script.createCachedData());
    renameSync(`${codeFile}.${process.pid}`, codeFile);
  } catch {
    // Only time is lost.
  }
}

const cachedData = /^[a-z]+$/.test(verb) ? keptCode() : undefined;
const script = new Script(module.wrap(readFileSync(bundle, "latin1")), {
  filename: bundle,
  cachedData,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
const loaded = { exports: {} };
script.runInThisContext()(loaded.exports, module.createRequire(bundle), loaded, bundle, dirname(bundle));
const code = await loaded.exports.main(process.argv.slice(2));
process.exitCode = code;
if (code === 0 && /^[a-z]+$/.test(verb) && (cachedData === undefined || script.cachedDataRejected))
  keep(script);
