/** How large a spec may be; beyond these a diagnostic says so. */
export const limits = {
  fileBytes: 1 << 20,
  tokens: 200_000,
  /** Levels of brackets, conditions or signs. A level takes about eighty calls, and a stack holds some ten thousand. */
  nesting: 64,
  /** Operands of one chain of operators. */
  chain: 1000,
  identifier: 128,
} as const;
