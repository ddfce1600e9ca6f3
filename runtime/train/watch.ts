/** Watch: remarks on steps that look wrong although every number is finite. */

/** Steps before the first remark on a loss: it may jump while warming up. */
const settled = 20;
/** A loss this many times the smoothed one is remarked on. */
const spike = 3;
/** Steps in a row without any gradient that are remarked on. */
const still = 10;

export class Watch {
  #steps = 0;
  #stillSteps = 0;

  /** A remark on the step; null when nothing is odd. `smoothed` is the smoothed loss of the steps before. */
  step(step: number, loss: number, smoothed: number | null, gradientNorm: number): string | null {
    this.#steps++;
    this.#stillSteps = gradientNorm === 0 ? this.#stillSteps + 1 : 0;
    if (this.#stillSteps === still) {
      return `the gradient has been zero for ${still} steps: no weight that trains has a path to the loss`;
    }
    if (smoothed !== null && this.#steps > settled && loss > spike * smoothed) {
      return `step ${step}: the loss ${loss.toPrecision(4)} is far above its recent mean ${smoothed.toPrecision(4)}`;
    }
    return null;
  }
}
