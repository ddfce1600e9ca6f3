/** How large a spec may be; beyond these a diagnostic says so. */
export const limits = {
  fileBytes: 1 << 20,
  tokens: 200_000,
  /** Levels of brackets, conditions or signs. */
  nesting: 128,
  identifier: 128,
} as const;
