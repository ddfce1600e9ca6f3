/**
 * Kernel: the text of one entry point, made of typed fragments. A fragment can hold literal text of our own
 * source, whole and real numbers, generated names and other fragments; never a string that came from a spec.
 */

declare const brand: unique symbol;

/** Text that is safe to print. Only the functions of this file make one. */
export interface Fragment {
  readonly [brand]: true;
  readonly text: string;
}

const made = new WeakSet<object>();

function makeFragment(text: string): Fragment {
  const fragment = Object.freeze({ text }) as unknown as Fragment;
  made.add(fragment);
  return fragment;
}

export type FragmentPart = Fragment | number | bigint | readonly FragmentPart[];

function partText(part: FragmentPart): string {
  if (typeof part === "bigint") return part.toString();
  if (typeof part === "number") {
    if (!Number.isSafeInteger(part))
      throw new Error(`${part} is not a whole number: print reals with realLiteral`);
    return String(part);
  }
  if (Array.isArray(part)) return part.map(partText).join("");
  if (!made.has(part as object)) throw new Error("a fragment part that no fragment function made");
  return (part as Fragment).text;
}

/** c`...`: literal text of our source with typed holes. */
export function c(strings: TemplateStringsArray, ...parts: readonly FragmentPart[]): Fragment {
  let text = strings[0]!;
  parts.forEach((part, n) => {
    text += partText(part) + strings[n + 1]!;
  });
  return makeFragment(text);
}

/** A generated name: a lower-case word and optional numbers, `acc_3`. Throws for anything else. */
export function identifier(word: string, ...numbers: readonly number[]): Fragment {
  const text = [word, ...numbers].join("_");
  if (!/^[a-z][a-z0-9_]*$/.test(text)) throw new Error(`"${text}" is not a generated name`);
  return makeFragment(text);
}

/** An f32 literal that parses back to exactly Math.fround(value); infinities and NaN are refused. */
export function realLiteral(value: number): Fragment {
  if (!Number.isFinite(value)) throw new Error(`${value} cannot be printed as a literal`);
  const rounded = Math.fround(value);
  const digits = rounded.toPrecision(9);
  return makeFragment(`${/[.e]/.test(digits) ? digits : `${digits}.0`}f`);
}

/** A name of emitted TypeScript: letters and digits. Throws for anything else. */
export function scriptName(text: string): Fragment {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(text)) throw new Error(`"${text}" is no name`);
  return makeFragment(text);
}

/** A string literal of emitted TypeScript; any text is safe in it. */
export function scriptString(text: string): Fragment {
  return makeFragment(JSON.stringify(text).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029"));
}

/** A double of emitted TypeScript; negative ones stand in parentheses. */
export function scriptNumber(value: number): Fragment {
  const text = Object.is(value, -0) ? "-0" : String(value);
  return makeFragment(text.startsWith("-") ? `(${text})` : text);
}

/** A comment of one line in emitted TypeScript. */
export function scriptComment(text: string): Fragment {
  return makeFragment(`// ${text.replaceAll(/[^\x20-\x7e\u00a0-\u2027\u202a-\uffff]/g, " ")}`);
}

export function joinFragments(parts: readonly Fragment[], separator: Fragment): Fragment {
  return makeFragment(parts.map((part) => partText(part)).join(partText(separator)));
}

/** One compiled entry point. */
export interface Kernel {
  /** Unique in a program: `rows_3`, `attention_0`, `matmul`. */
  readonly entry: string;
  /** What it needs besides the common prelude, by support file name (`gemm`). */
  readonly support: readonly string[];
  /** The C function `void entry(void *const *buffers, const int64_t *sizes, const float *scalars)` and its helpers. */
  readonly text: Fragment;
  /** Structural key: two kernels with equal keys are the same. */
  readonly key: string;
}
