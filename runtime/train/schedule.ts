/** Learning rate by step. */
import type { ScheduleSettings } from "./settings.ts";

/** Steps of warm-up. */
export function warmupSteps(schedule: ScheduleSettings): number {
  const { warmup, steps } = schedule;
  return warmup.kind === "steps" ? Math.min(warmup.value, steps) : Math.round(warmup.value * steps);
}

/** The learning rate of `step` (1 … steps): linear to `lr` in the warm-up, then along the shape to `to` at the last step. */
export function learningRate(schedule: ScheduleSettings, lr: number, step: number): number {
  const warmup = warmupSteps(schedule);
  if (step <= warmup) return (lr * step) / warmup;
  const done = Math.min(1, (step - warmup) / Math.max(1, schedule.steps - warmup));
  switch (schedule.shape) {
    case "constant":
      return lr;
    case "linear":
      return lr + (schedule.to - lr) * done;
    case "cosine":
      return schedule.to + (lr - schedule.to) * 0.5 * (1 + Math.cos(Math.PI * done));
  }
  schedule.shape satisfies never;
}
