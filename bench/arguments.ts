/** Command-line arguments of the benchmarks: `--name value` and `--flag`. */
export const numberArgument = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};

export const flag = (name: string): boolean => process.argv.includes(`--${name}`);

/** With `--json`, results are JSON lines and nothing else is printed. */
export const asJson = flag("json");

/** Prints for people. */
export const say = (line: string): void => {
  if (!asJson) console.log(line);
};

/** Prints a result for programs. */
export const record = (result: Readonly<Record<string, string | number | null>>): void => {
  if (asJson) console.log(JSON.stringify(result));
};

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
