/** `lctx generate`: writes text with a trained run, as it comes. */
import { generateProject } from "../../../runtime/project/use-project.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { cacheFolder } from "../paths.ts";
import { deviceKind, type TrainVerbOptions } from "./train.ts";

export async function generate(
  run: string,
  options: {
    readonly prompt: string;
    readonly tokens: number;
    readonly temperature: number;
    readonly topK?: number;
    readonly topP?: number;
    readonly seed: number;
    readonly device: TrainVerbOptions["device"];
    readonly threads?: number;
  },
): Promise<number> {
  if (options.prompt === "") throw new UsageError("the prompt is empty", 'give some text: --prompt "Once"');
  process.stdout.write(options.prompt);
  const text = generateProject(run, {
    device: deviceKind(options.device),
    threads: options.threads,
    kernelCache: cacheFolder(),
    prompt: options.prompt,
    tokens: options.tokens,
    temperature: options.temperature,
    topK: options.topK ?? null,
    topP: options.topP ?? null,
    seed: options.seed,
  });
  for (;;) {
    const next = await text.next();
    if (next.done === true) {
      process.stdout.write("\n");
      for (const remark of next.value.remarks) process.stderr.write(`note: ${remark}\n`);
      return exitCodes.ok;
    }
    process.stdout.write(next.value);
  }
}
