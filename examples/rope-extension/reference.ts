/** Frequencies of rotary embeddings as their authors compute them: radians per position for pair m of size / 2. */

export type Frequencies = (size: number) => readonly number[];

const pairs = (size: number, law: (m: number) => number): number[] =>
  Array.from({ length: size / 2 }, (_, m) => law(m));

/** Su et al., 2021, equation 15. */
export const rotary: Frequencies = (size) => pairs(size, (m) => 1 / 10_000 ** ((2 * m) / size));

/** Chen et al., 2023, equation 4: positions divided by the factor. */
export const interpolated =
  (factor: number): Frequencies =>
  (size) =>
    rotary(size).map((frequency) => frequency / factor);

/** NTK-aware scaling (bloc97, 2023): another base. */
export const ntk =
  (factor: number): Frequencies =>
  (size) => {
    const base = 10_000 * factor ** (size / (size - 2));
    return pairs(size, (m) => base ** ((-2 * m) / size));
  };

/** Peng et al., 2023, as in the authors' `YaRNScaledRotaryEmbedding`: whole-number correction range, linear ramp. */
export const yarn =
  (factor: number, trained: number): Frequencies =>
  (size) => {
    const dimension = (turns: number): number =>
      (size * Math.log(trained / (turns * 2 * Math.PI))) / (2 * Math.log(10_000));
    const low = Math.max(Math.floor(dimension(32)), 0);
    const high = Math.min(Math.ceil(dimension(1)), size - 1);
    return rotary(size).map((extrapolated, m) => {
      const ramp = Math.min(Math.max((m - low) / (high === low ? 0.001 : high - low), 0), 1);
      const mask = 1 - ramp;
      return (extrapolated / factor) * (1 - mask) + extrapolated * mask;
    });
  };

/** YaRN's factor on cosine and sine: the authors' `get_mscale`. */
export const yarnScale = (factor: number): number => (factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1);

/** Llama 3.1 (Dubey et al., 2024), as in the released `apply_scaling`, with base 500 000. */
export const llama3: Frequencies = (size) => {
  const [factor, lowFactor, highFactor, oldLength] = [8, 1, 4, 8192];
  const lowWave = oldLength / lowFactor;
  const highWave = oldLength / highFactor;
  return pairs(size, (m) => {
    const frequency = 1 / 500_000 ** ((2 * m) / size);
    const wave = (2 * Math.PI) / frequency;
    if (wave < highWave) return frequency;
    if (wave > lowWave) return frequency / factor;
    const smooth = (oldLength / wave - lowFactor) / (highFactor - lowFactor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
};

/** Pal et al., 2023, section 3.3 (truncated basis): high frequencies stay, middle ones are fixed, low ones are zero. */
export const truncated =
  (trained: number): Frequencies =>
  (size) => {
    const b = (2 * Math.PI) / trained;
    const a = b / 8;
    const fixed = b / 16;
    return rotary(size).map((frequency) => (frequency >= b ? frequency : frequency >= a ? fixed : 0));
  };

/** Pal et al., 2023, section 3.2 (power basis): each frequency times (1 − 2m/size)^power. */
export const power =
  (exponent: number): Frequencies =>
  (size) =>
    rotary(size).map((frequency, m) => frequency * (1 - (2 * m) / size) ** exponent);
