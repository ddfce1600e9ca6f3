/** Entry names of kernels that follow from their text, so equal kernels share one and others never clash. */
import { identifier, type Fragment, type Kernel } from "../../ir/kernel.ts";

/** Two 32-bit hashes of the text (FNV-1a from two starting points). */
function digest(text: string): readonly [number, number] {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13);
  }
  return [a >>> 0, b >>> 0];
}

/** A kernel whose name is `word` and a digest of its text; `print` gets the name and must use it in every global name. */
export function namedKernel(
  word: string,
  support: readonly string[],
  print: (entry: Fragment) => Fragment,
): Kernel {
  const plain = print(identifier(word)).text;
  const [high, low] = digest(plain);
  const entry = identifier(word, high, low);
  return { entry: entry.text, support, text: print(entry), key: `${word}:${plain}` };
}
