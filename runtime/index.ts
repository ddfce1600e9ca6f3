/** The runtime as a library: what emitted projects import. */
export { openCpuDevice } from "./device/open.ts";
export type { DeviceOptions } from "./device/open.ts";
export type { Device, KernelSources } from "./device/device.ts";
export { instantiate } from "./executable.ts";
export type { Executable, LaunchTime, RunSizes } from "./executable.ts";
export { LctxError, runtimeExit } from "./errors.ts";
export type { Program } from "./program.ts";
export { planMemory } from "./plan/memory-plan.ts";
export type { TrainSettings } from "./train/settings.ts";
export { evaluateTasks } from "./tasks/evaluate-tasks.ts";
export type { TaskCell, TaskResult, TasksEvaluation } from "./tasks/evaluate-tasks.ts";
export { train } from "./train/trainer.ts";
export type { TrainOptions, TrainResult } from "./train/trainer.ts";
export { readKernels } from "./project/project.ts";
export type { Project, ProjectStage } from "./project/project.ts";
export {
  evaluateProject,
  evaluateTasksProject,
  generateProject,
  trainProject,
} from "./project/use-project.ts";
export { runEvaluation, runGeneration, runTrainer } from "./project/scripts.ts";
