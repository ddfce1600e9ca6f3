/** `lctx generate`: writes text with a trained run, as it comes. */
import { generateProject } from "../../../runtime/project/use-project.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { placeOf, type PlaceOptions } from "../target.ts";

/** Text as a terminal may have it: a model may write any byte, and control characters would act on the terminal. */
const shown = (text: string): string =>
  process.stdout.isTTY
    ? // eslint-disable-next-line no-control-regex -- these are the characters meant
      text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd")
    : text;

export async function generate(
  run: string,
  options: {
    readonly prompt: string;
    readonly tokens: number;
    readonly temperature: number;
    readonly topK?: number;
    readonly topP?: number;
    readonly seed: number;
  } & PlaceOptions,
): Promise<number> {
  if (options.prompt === "") throw new UsageError("the prompt is empty", 'give some text: --prompt "Once"');
  const text = generateProject(run, {
    ...placeOf(options),
    prompt: options.prompt,
    tokens: options.tokens,
    temperature: options.temperature,
    topK: options.topK ?? null,
    topP: options.topP ?? null,
    seed: options.seed,
  });
  // The prompt comes with the first piece, so that a run that cannot be read leaves nothing but its message.
  let before = options.prompt;
  for (;;) {
    const next = await text.next();
    if (before !== "") process.stdout.write(shown(before));
    before = "";
    if (next.done === true) {
      process.stdout.write("\n");
      for (const remark of next.value.remarks) process.stderr.write(`note: ${remark}\n`);
      return exitCodes.ok;
    }
    process.stdout.write(shown(next.value));
    // Nobody reads any more.
    if (!process.stdout.writable) return exitCodes.ok;
  }
}
