#!/usr/bin/env node
// Runs the command line's bundle. V8's compiled code is kept from one start to the next, one file a verb: to compile
// the bundle anew takes longer than most verbs. A script and no module, since Node has those running sooner.
"use strict";
const { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } = require("node:fs");
const { createRequire, wrap } = require("node:module");
const { dirname, join } = require("node:path");
const { Script } = require("node:vm");
const { crc32 } = require("node:zlib");

const bundle = join(__dirname, "../dist/cli.cjs");
const verb = process.argv[2] ?? "";
// A bundle built meanwhile has another time; what another Node left is V8's to refuse.
const codeFile = join(dirname(bundle), "code", `${verb}-${Math.round(statSync(bundle).mtimeMs)}`);

/** What an earlier start kept, or undefined. Its sum comes last: damaged code would end the process. */
function keptCode() {
  try {
    const bytes = readFileSync(codeFile);
    const code = bytes.subarray(0, -4);
    return crc32(code) === bytes.readUInt32LE(code.length) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps what was compiled until now; an installation that cannot be written to compiles each time. */
function keep(script) {
  try {
    mkdirSync(dirname(codeFile), { recursive: true });
    const code = script.createCachedData();
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32(code));
    writeFileSync(`${codeFile}.${process.pid}`, Buffer.concat([code, sum]));
    renameSync(`${codeFile}.${process.pid}`, codeFile);
  } catch {
    // Only time is lost.
  }
}

async function start() {
  const isWord = /^[a-z]+$/.test(verb);
  const cachedData = isWord ? keptCode() : undefined;
  const script = new Script(wrap(readFileSync(bundle, "latin1")), {
    filename: bundle,
    cachedData,
  });
  // Code that was kept cannot import modules itself.
  const loaded = { exports: {}, importModule: (name) => import(name) };
  script.runInThisContext()(loaded.exports, createRequire(bundle), loaded, bundle, dirname(bundle));
  const code = await loaded.exports.main(process.argv.slice(2));
  process.exitCode = code;
  // What only printed its help compiled little of its verb.
  const worked = code === 0 && !process.argv.some((word) => word === "--help" || word === "-h");
  if (worked && isWord && (cachedData === undefined || script.cachedDataRejected)) keep(script);
}

void start();
