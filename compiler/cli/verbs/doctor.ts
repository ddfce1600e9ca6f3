/** `lctx doctor`: what this machine has, what is missing, and how to get it. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import pc from "picocolors";
import { exitCodes } from "../exit-codes.ts";
import { cacheFolder, packageRoot, version } from "../paths.ts";

interface Finding {
  readonly name: string;
  /** `needed` means that something lctx does cannot work without it. */
  readonly state: "good" | "missing" | "needed";
  readonly detail: string;
  readonly fix: string | null;
}

const good = (name: string, detail: string): Finding => ({ name, state: "good", detail, fix: null });

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 20 || (major === 20 && minor >= 19)
    ? good("Node.js", process.version)
    : {
        name: "Node.js",
        state: "needed",
        detail: process.version,
        fix: "install Node.js 20.19 or newer",
      };
}

function processor(): Finding {
  let flags = "";
  try {
    flags = /^flags\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  } catch {
    // Only Linux tells flags in a file; elsewhere the model's name has to do.
  }
  const has = (flag: string): boolean => ` ${flags} `.includes(` ${flag} `);
  const width = has("avx512f") ? ", AVX-512" : has("avx2") ? ", AVX2" : "";
  const memory = `${(freemem() / 2 ** 30).toFixed(1)} of ${(totalmem() / 2 ** 30).toFixed(1)} GiB free`;
  return good(
    "Processor",
    `${cpus()[0]?.model ?? process.arch}${width}; ${availableParallelism()} cores; ${memory}`,
  );
}

/** First line a command prints, or null when it cannot be run. */
function firstLine(command: string, args: readonly string[]): string | null {
  try {
    const text = execFileSync(command, [...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    });
    return text.split("\n")[0]!.trim();
  } catch {
    return null;
  }
}

function compiler(): Finding {
  const asked = process.env["CC"];
  for (const name of asked ? [asked, "cc", "gcc", "clang"] : ["cc", "gcc", "clang"]) {
    const version = firstLine(name, ["--version"]);
    if (version !== null) return good("C compiler", `${name}: ${version}`);
  }
  return {
    name: "C compiler",
    state: "missing",
    detail: "none of $CC, cc, gcc, clang runs; kernels go through WebAssembly, about 3 times slower",
    fix: "install gcc or clang (Debian: apt install gcc libc6-dev; macOS: xcode-select --install)",
  };
}

function optionalPackage(name: string, purpose: string): Finding {
  try {
    const require = createRequire(import.meta.url);
    const path = require.resolve(`${name}/package.json`, { paths: [packageRoot()] });
    const { version } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
    return good(name, `${version}, ${purpose}`);
  } catch (error) {
    // A package may hide its package.json; then its main entry has to be there.
    if ((error as { code?: string }).code === "ERR_PACKAGE_PATH_NOT_EXPORTED")
      return good(name, `installed, ${purpose}`);
    return {
      name,
      state: "missing",
      detail: `not installed; ${purpose}`,
      fix: `npm install ${name}`,
    };
  }
}

async function foreignFunctions(): Promise<Finding> {
  try {
    const koffi = await import("koffi");
    return good("koffi", `${koffi.default.version}, loads compiled kernels`);
  } catch (error) {
    return {
      name: "koffi",
      state: "missing",
      detail: `cannot be loaded (${(error as Error).message.split("\n")[0]})`,
      fix: "npm install koffi, or use --device cpu-wasm",
    };
  }
}

function cache(): Finding {
  const folder = cacheFolder();
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return good("Cache", folder.replace(process.env["HOME"] ?? "\0", "~"));
  } catch (error) {
    return {
      name: "Cache",
      state: "needed",
      detail: `${folder} cannot be written (${(error as NodeJS.ErrnoException).code})`,
      fix: "set LCTX_CACHE to a folder that can be written",
    };
  }
}

/** Runs a real kernel on each CPU device: the only proof that compiling and loading work. */
async function devices(): Promise<readonly Finding[]> {
  const { openCpuDevice } = await import("../../../runtime/device/open.ts");
  const findings: Finding[] = [];
  for (const kind of ["native", "wasm"] as const) {
    try {
      const device = await openCpuDevice({ kind, cacheFolder: cacheFolder() });
      findings.push(good(`Device cpu-${kind}`, device.description));
      device.close();
    } catch (error) {
      findings.push({
        name: `Device cpu-${kind}`,
        state: "missing",
        detail: (error as Error).message.split("\n")[0]!,
        fix: (error as { help?: string }).help ?? null,
      });
    }
  }
  return findings;
}

/** Nothing of CUDA is needed: where a part is missing, the CPU does the work. */
async function cuda(): Promise<readonly Finding[]> {
  try {
    const { cudaParts } = await import("../../../runtime/device/cuda/report.ts");
    return (await cudaParts()).map((part) => ({
      ...part,
      state: part.fix === null ? ("good" as const) : ("missing" as const),
    }));
  } catch (error) {
    // Without koffi nothing of it can be asked for.
    return [
      {
        name: "CUDA driver",
        state: "missing",
        detail: `cannot be asked (${(error as Error).message.split("\n")[0]})`,
        fix: "npm install koffi",
      },
    ];
  }
}

/** Backends of the target tfjs, each of them started; none is needed. */
async function tensorFlow(): Promise<readonly Finding[]> {
  try {
    const { findBackends } = await import("../../../runtime/tfjs/backend.ts");
    return (await findBackends()).map(({ name, package: own, what, how, problem }) => ({
      name: `Target tfjs:${name}`,
      state: problem === null ? ("good" as const) : ("missing" as const),
      detail: problem === null ? what : `${own}: ${problem}`,
      fix: problem === null ? null : how,
    }));
  } catch (error) {
    return [
      {
        name: "Target tfjs",
        state: "missing",
        detail: `cannot be loaded (${(error as Error).message.split("\n")[0]})`,
        fix: "npm install @tensorflow/tfjs-core",
      },
    ];
  }
}

const marks = { good: pc.green("✓"), missing: pc.yellow("–"), needed: pc.red("✗") } as const;

export async function doctor(options: { readonly json?: boolean }): Promise<number> {
  const onDevices = await devices();
  const usable = onDevices.some((finding) => finding.state === "good");
  const findings: readonly Finding[] = [
    node(),
    processor(),
    compiler(),
    await foreignFunctions(),
    optionalPackage("@yowasp/clang", "compiles kernels to WebAssembly where there is no C compiler"),
    cache(),
    ...onDevices,
    ...(await cuda()),
    ...(await tensorFlow()),
    ...(usable
      ? []
      : [
          {
            name: "Training",
            state: "needed" as const,
            detail: "no device works, so nothing can be trained",
            fix: "install a C compiler, or the package @yowasp/clang",
          },
        ]),
  ];
  const wrong = findings.some((finding) => finding.state === "needed");
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ lctx: version(), ok: !wrong, findings }, null, 2)}\n`);
    return wrong ? exitCodes.device : exitCodes.ok;
  }
  process.stdout.write(`lctx ${version()} on ${process.platform} ${process.arch}\n`);
  for (const finding of findings) {
    process.stdout.write(`${marks[finding.state]} ${pc.bold(finding.name)}: ${finding.detail}\n`);
    if (finding.fix) process.stdout.write(`    ${pc.dim("→")} ${finding.fix}\n`);
  }
  process.stdout.write(
    wrong ? "\nSomething that is needed is missing.\n" : "\nAll that is needed is here.\n",
  );
  return wrong ? exitCodes.device : exitCodes.ok;
}
