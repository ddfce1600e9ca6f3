// Runs the conformance suite of emitted programs on TensorFlow's own library, where a package with it is installed.
import { spawnSync } from "node:child_process";

const backends = [
  ["node-gpu", "@tensorflow/tfjs-node-gpu"],
  ["node", "@tensorflow/tfjs-node"],
];

const reasons = [];
for (const [backend, name] of backends) {
  try {
    await import(name);
  } catch (error) {
    reasons.push(
      `${name}: ${error.code === "ERR_MODULE_NOT_FOUND" ? "not installed" : error.message.split("\n")[0]}`,
    );
    continue;
  }
  console.log(`running on ${name}`);
  const { status } = spawnSync("npx", ["vitest", "run", "tests/tfjs/conformance-wasm.test.ts"], {
    stdio: "inherit",
    env: { ...process.env, LCTX_TFJS_BACKEND: backend },
  });
  process.exit(status ?? 1);
}
console.log(`not run: ${reasons.join("; ")}`);
