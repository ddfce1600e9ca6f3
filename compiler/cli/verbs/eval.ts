/** `lctx eval`: loss, bits per byte and perplexity of a run on held-out text. */
import { evaluateProject } from "../../../runtime/project/use-project.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { cacheFolder } from "../paths.ts";
import { deviceKind, type TrainVerbOptions } from "./train.ts";

export async function evaluate(
  run: string,
  options: {
    readonly data?: string;
    readonly length?: number;
    readonly format: "text" | "json";
    readonly device: TrainVerbOptions["device"];
    readonly threads?: number;
  },
): Promise<number> {
  const result = await evaluateProject(run, {
    device: deviceKind(options.device),
    threads: options.threads,
    kernelCache: cacheFolder(),
    data: options.data ?? null,
    length: options.length ?? null,
  });
  if (result === null)
    throw new UsageError(`${run} holds no text out`, "name a text with --data, or train with `validate 5%`");
  if (options.format === "json") {
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    return exitCodes.ok;
  }
  for (const remark of result.remarks) process.stderr.write(`note: ${remark}\n`);
  const lines: readonly (readonly [string, string])[] = [
    ["loss", `${result.loss.toFixed(4)} nats a token`],
    ["perplexity", result.perplexity.toFixed(3)],
    ["bits per byte", result.bitsPerByte === null ? "not known" : result.bitsPerByte.toFixed(4)],
    ["targets", `${result.targets.toLocaleString("en-US")} in ${result.rows} rows of ${result.length}`],
    ["weights", `after ${result.totalSteps} steps`],
  ];
  for (const [name, value] of lines) process.stdout.write(`${name.padEnd(14)} ${value}\n`);
  return exitCodes.ok;
}
