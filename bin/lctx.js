#!/usr/bin/env node
import module from "node:module";

// Newer Nodes keep compiled code from one start to the next.
module.enableCompileCache?.();
const { main } = await import("../dist/cli.js");

const code = await main(process.argv.slice(2));
process.exitCode = code;
