/** The command line: verbs, options, help; each verb's work is loaded when it runs. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { describeFailure } from "./describe-failure.ts";
import { exitCodes } from "./exit-codes.ts";
import { projectTargetOption, runTargetOption, targetOption } from "./target.ts";
import { version } from "./paths.ts";

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

function wholeNumber(text: string): number {
  const value = Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("a whole number is needed.");
  return value;
}

function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError("at least 1 is needed.");
  return value;
}

function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("a number is needed.");
  return value;
}

/** The code a verb ends with; set by `run`. */
let exitCode: number = exitCodes.ok;

function run<A extends readonly unknown[]>(verb: () => Promise<(...args: A) => Promise<number>>) {
  return async (...args: A): Promise<void> => {
    exitCode = await (await verb())(...args);
  };
}

const set = (): Option =>
  new Option("--set <path=value>", "override one setting of the spec; may be repeated")
    .argParser(collect)
    .default([] as readonly string[], "none");
const model = (): Option => new Option("--model <name>", "which model, when the file has several");
const device = (): Option =>
  new Option("--device <name>", "where to run").choices(["auto", "cpu-native", "cpu-wasm"]).default("auto");
const threads = (): Option =>
  new Option("--threads <n>", "worker threads (default: the cores there are)").argParser(positiveNumber);
const format = (...choices: string[]): Option =>
  new Option("--format <format>", "how to print").choices(choices).default(choices[0]!);

export function makeProgram(): Command {
  const program = new Command("lctx")
    .description("Attention research as short specs: check, compile, train, evaluate, generate.")
    .version(version())
    .showHelpAfterError("(run with --help for the options)")
    .showSuggestionAfterError()
    .exitOverride();

  const verb = (name: string, summary: string, example: string): Command =>
    program
      .command(name)
      .description(summary)
      .addHelpText("after", `\nExample:\n  $ ${example}`)
      .exitOverride();

  verb("init", "write a starter spec into a folder", "lctx init my-study --template sink-window")
    .argument("[folder]", "where to write", ".")
    .option("--template <name>", "which example to start from (see `lctx examples`)")
    .action(run(async () => (await import("./verbs/init.ts")).init));

  verb("examples", "list the examples that ship with lctx", "lctx examples")
    .addOption(format("text", "json"))
    .action(run(async () => (await import("./verbs/examples.ts")).examples));

  verb("check", "read a spec and report every mistake; writes nothing", "lctx check examples/moby-dick.lctx")
    .argument("<files...>", "specs")
    .addOption(format("text", "json", "sarif", "github"))
    .addOption(set())
    .action(run(async () => (await import("./verbs/check.ts")).check));

  verb("fmt", "format specs in place", "lctx fmt --check stdlib/masks.lctx")
    .argument("<files...>", "specs or folders")
    .option("--check", "write nothing; exit 1 when a file is not formatted")
    .action(run(async () => (await import("./verbs/fmt.ts")).fmt));

  verb("build", "write a project: model.ts, trainer.ts, kernels", "lctx build spec.lctx --out my-model")
    .argument("<file>", "spec")
    .option("--out <folder>", "where to write (default: build/<model>)")
    .addOption(projectTargetOption())
    .addOption(model())
    .addOption(set())
    .action(run(async () => (await import("./verbs/build.ts")).build));

  verb("train", "train a spec's model", "lctx train examples/moby-dick.lctx --set train.seed=2")
    .argument("<file>", "spec")
    .addOption(model())
    .addOption(set())
    .option("--run <folder>", "the run's folder (default: runs/<model>)")
    .option("--data <path>", "a text file or folder instead of the spec's data")
    .option("--weights <run>", "start from the weights of another run")
    .option("--steps <n>", "stop after this many steps", positiveNumber)
    .option("--resume", "go on from the newest good checkpoint")
    .option("--allow-change", "resume although the spec changed")
    .option("--tensorboard", "also write TensorBoard event files")
    .addOption(
      new Option("--log-format <format>", "progress lines").choices(["text", "json"]).default("text"),
    )
    .addOption(targetOption())
    .addOption(device())
    .addOption(threads())
    .action(run(async () => (await import("./verbs/train.ts")).train));

  verb(
    "eval",
    "loss of a run on held-out text, and how it does the tasks of its spec",
    "lctx eval runs/small",
  )
    .argument("<run>", "a run's folder")
    .option("--data <path>", "text to evaluate on instead of the run's held-out part")
    .option("--length <n>", "tokens a row (default: as trained, and as the tasks say)", positiveNumber)
    .addOption(
      new Option("--task <name>", "only this task of the spec, and no text; may be repeated")
        .argParser(collect)
        .default([] as readonly string[], "all"),
    )
    .option("--samples <n>", "samples for each length and depth (default: as the spec says)", positiveNumber)
    .option("--spec <file>", "run the weights in this spec's model: another attention, the same parameters")
    .addOption(model())
    .addOption(set())
    .addOption(format("text", "json"))
    .addOption(runTargetOption())
    .addOption(device())
    .addOption(threads())
    .action(run(async () => (await import("./verbs/eval.ts")).evaluate));

  verb("generate", "write text with a trained run", 'lctx generate runs/small --prompt "Call me "')
    .argument("<run>", "a run's folder")
    .option("--prompt <text>", "how the text starts", "\n")
    .option("--tokens <n>", "how many tokens to write", wholeNumber, 300)
    .option("--temperature <t>", "0 always takes the likeliest token", realNumber, 0.8)
    .option("--top-k <n>", "choose among the n likeliest", positiveNumber)
    .option("--top-p <p>", "choose among the likeliest that hold this share", realNumber)
    .option("--seed <n>", "seed of the choices", wholeNumber, 1)
    .addOption(runTargetOption())
    .addOption(device())
    .addOption(threads())
    .action(run(async () => (await import("./verbs/generate.ts")).generate));

  verb("explain", "a message code, or what a spec compiles to", "lctx explain memory examples/moby-dick.lctx")
    .argument("<topic>", "a message code, or: clauses, masks, kernels, memory, graph, node, task")
    .argument("[file]", "spec, for everything but message codes")
    .argument(
      "[place]",
      "with node: a site (layers.0.attn.q) or a number of the graph (n12); with task: its name",
    )
    .addOption(model())
    .addOption(set())
    .option("--batch <n>", "rows (default: as the spec trains)", positiveNumber)
    .option("--length <n>", "tokens a row", positiveNumber)
    .addOption(
      new Option("--target <target>", "with kernels and memory: for which target")
        .choices(["cpu", "cuda"])
        .default("cpu"),
    )
    .option("--after <pass>", "with graph: print it after this pass")
    .addOption(threads())
    .action(run(async () => (await import("./verbs/explain.ts")).explain));

  verb(
    "viz",
    "draw a mask, what a selection chooses, a model's graph or a run's loss",
    "lctx viz mask examples/moby-dick.lctx Local --out mask.png",
  )
    .argument("<what>", "mask, choice, graph or loss")
    .argument("<source>", "spec, or a run's folder for loss")
    .argument("[name]", 'attention, mask ("window(8)") or model to draw')
    .option("--out <file>", "a .png or .svg file (default: draw in the terminal)")
    .option("--length <n>", "tokens in the picture", positiveNumber)
    .option("--run <folder>", "with choice: a run's weights and text (default: random ones)")
    .option("--site <path>", "with choice: which attention (layers.1.attn; default: the first that chooses)")
    .option("--head <n>", "with choice: one head, from 0 (default: all, shaded)", wholeNumber)
    .addOption(set())
    .action(run(async () => (await import("./verbs/viz.ts")).viz));

  verb("bench", "time kernels, a training step and start-up on this machine", "lctx bench gemm")
    .argument("<what>", "gemm, attention, routed, step, startup or decode")
    .option("--json", "one JSON line a case")
    .addOption(
      new Option("--device <device>", "where it runs").choices(["auto", "cpu", "cuda"]).default("auto"),
    )
    .addOption(threads())
    .action(run(async () => (await import("./verbs/bench.ts")).bench));

  verb("doctor", "what this machine has, what is missing, and how to get it", "lctx doctor --json")
    .option("--json", "machine-readable")
    .action(run(async () => (await import("./verbs/doctor.ts")).doctor));

  return program;
}

/** A reader that goes away (`| head`) ends no verb: what is still written is dropped, and the exit code stays right. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    if (stream.listenerCount("error") === 0)
      stream.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code !== "EPIPE") throw error;
      });
}

/** Runs one command line and returns its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  outliveReaders();
  try {
    await makeProgram().parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const failure = describeFailure(error);
    if (failure.text !== "") process.stderr.write(`${failure.text}\n`);
    return failure.code;
  }
}
