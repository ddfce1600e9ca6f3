/** Trainer: runs a recipe's stages over a model, step by step, with evaluation, metrics, checkpoints and exact resumption. */
import { join, resolve } from "node:path";
import { saveCheckpoint } from "../checkpoint/checkpoint.ts";
import type { RunState } from "../checkpoint/checkpoint.ts";
import { diskFiles, makeDurableFolder, writeFailure } from "../checkpoint/files.ts";
import type { Files } from "../checkpoint/files.ts";
import { lockRun } from "../checkpoint/run-lock.ts";
import type { NamedTensor } from "../checkpoint/safetensors.ts";
import { openData } from "../data/mixed-data.ts";
import type { TrainingData } from "../data/training-data.ts";
import { LctxError, runtimeExit } from "../errors.ts";
import { MetricFiles } from "../metrics/metric-files.ts";
import { Progress } from "../metrics/progress.ts";
import { closingTable } from "./closing-table.ts";
import { evaluate } from "./evaluate.ts";
import { vocabularyOf } from "./model.ts";
import type { OpenModel, TrainableModel } from "./model.ts";
import { checkSameText, findStart } from "./resume.ts";
import { runFiles, writeLock, writeRunFolder } from "./run-folder.ts";
import { checkSettings, settingsHash } from "./settings-schema.ts";
import type { StageSettings, TrainSettings } from "./settings.ts";
import { StopRequest } from "./signals.ts";
import { describeLengths } from "./row-runs.ts";
import { Stepper } from "./step.ts";
import type { TrainOptions, TrainResult } from "./train-options.ts";
import { Watch } from "./watch.ts";
import {
  carriedFrom,
  copies,
  parameterTensors,
  restoreWeights,
  startWeights,
  stateTensors,
} from "./weights.ts";

export type { TrainOptions, TrainResult } from "./train-options.ts";

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Share of the new loss in the smoothed one. */
const smoothing = 0.1;

/** True for the steps after which held-out text is looked at. */
function isEvaluated({ evaluate: { every }, schedule }: StageSettings, step: number): boolean {
  return step === schedule.steps || (every > 0 && step % every === 0);
}

type Progressing = Omit<RunState, "format" | "settingsHash" | "settings" | "seed">;

class Run {
  readonly settings: TrainSettings;
  readonly options: TrainOptions;
  readonly files: Files;
  readonly stop = new StopRequest();
  readonly checkpoints: string;
  readonly allSteps: number;
  readonly remarks: string[] = [];
  state: Progressing;
  carried: ReadonlyMap<string, NamedTensor> = new Map();
  checkpoint = "";
  lastLoss: number | null = null;
  #metrics: MetricFiles | null = null;
  #progress: Progress | null = null;
  #locks: Record<string, string> = {};
  #savedAt = -1;

  constructor(settings: TrainSettings, options: TrainOptions) {
    this.settings = settings;
    this.options = options;
    this.files = options.files ?? diskFiles;
    this.checkpoints = join(options.runFolder, runFiles.checkpoints);
    this.allSteps = settings.stages.reduce((sum, stage) => sum + stage.schedule.steps, 0);
    this.state = {
      stage: 0,
      stageName: settings.stages[0]!.name,
      step: 0,
      totalSteps: 0,
      rows: 0,
      dataKey: "",
      validationLoss: null,
      best: null,
      tokens: 0,
      seconds: 0,
      smoothedLoss: null,
    };
  }

  get metrics(): MetricFiles {
    return this.#metrics!;
  }

  get progress(): Progress {
    return this.#progress!;
  }

  /** True once the run must end before its last step. */
  get mustStop(): boolean {
    const { stopAfter } = this.options;
    return this.stop.reason !== null || (typeof stopAfter === "number" && this.state.totalSteps >= stopAfter);
  }

  async run(open: OpenModel): Promise<TrainResult> {
    const { settings, options } = this;
    const start = findStart(this.files, this.checkpoints, settings, {
      resume: options.resume ?? false,
      allowChange: options.allowChange ?? false,
    });
    if (start.checkpoint !== null) {
      const { format: _f, settings: _s, settingsHash: _h, seed: _seed, ...state } = start.checkpoint.state;
      this.state = state;
      this.checkpoint = start.checkpoint.path;
      this.#savedAt = state.totalSteps;
    }
    writeRunFolder(options.runFolder, settings, options.specText ?? null, options.specFiles);
    this.#metrics = new MetricFiles(options.runFolder, this.state.totalSteps, {
      tensorboard: options.tensorboard ?? false,
    });
    this.#progress = new Progress({
      output: options.output ?? process.stdout,
      format: options.logFormat ?? "text",
      totalSteps: this.allSteps,
    });
    for (const remark of start.remarks) this.progress.note(remark);
    if (start.checkpoint !== null) this.progress.note(`resumed after step ${this.state.totalSteps}`);
    if (options.signals !== false) {
      this.stop.listen((signal) =>
        this.progress.note(`${signal}: stopping after this step; again to stop at once`),
      );
    }

    let restored = start.checkpoint;
    for (let index = this.state.stage; index < settings.stages.length; index++) {
      const stage = settings.stages[index]!;
      const goesOn = restored !== null && !this.isDone(stage);
      if (restored !== null && !goesOn) {
        // The checkpoint ends its stage: what follows begins from its weights.
        this.carried = carriedFrom(restored);
        restored = null;
        continue;
      }
      this.progress.busy("compiling kernels …");
      const model = await open(stage, index);
      let dataset: TrainingData | null = null;
      try {
        dataset = await this.openData(model, stage, index);
        if (goesOn) {
          this.noteAll([
            checkSameText(this.state.dataKey, dataset.facts.key, stage.name, options.allowChange ?? false),
          ]);
          restoreWeights(model, restored!, true);
        } else {
          this.noteAll(startWeights(model, settings.seed, options.initialWeights ?? null, this.carried));
          // Stages have rows and objectives of their own: losses of one say nothing about another's.
          this.state = { ...this.state, stage: index, stageName: stage.name, step: 0, rows: 0, best: null };
        }
        restored = null;
        this.state = { ...this.state, dataKey: dataset.facts.key };
        await this.trainStage(model, stage, dataset);
        this.carried = copies(parameterTensors(model));
      } finally {
        dataset?.close();
        model.close();
      }
      if (this.mustStop) break;
    }
    return this.finish();
  }

  /** True when a checkpoint leaves nothing of its stage to do. */
  isDone(stage: StageSettings): boolean {
    return this.state.step >= stage.schedule.steps && !this.isEvaluationMissing(stage);
  }

  /** True when the last step done asks for an evaluation that a stop cut off. */
  isEvaluationMissing(stage: StageSettings): boolean {
    const { step, validationLoss } = this.state;
    return step > 0 && validationLoss === null && stage.data.validate.value > 0 && isEvaluated(stage, step);
  }

  async openData(model: TrainableModel, stage: StageSettings, index: number): Promise<TrainingData> {
    const { options, settings } = this;
    const dataset = await openData(stage.data, stage.loss, {
      specFolder: options.specFolder,
      projectFolder: options.projectFolder,
      cacheFolder: options.cacheFolder ?? join(options.runFolder, runFiles.tokens),
      seed: settings.seed,
      vocabulary: vocabularyOf(model.program),
    });
    this.#locks[`data.${index}`] = dataset.facts.key;
    this.#locks[`tokenizer.${index}`] = dataset.tokenizer.hash;
    writeLock(options.runFolder, { settings: settingsHash(settings), ...this.#locks, ...options.lock });
    if (!dataset.facts.bytesExact) {
      this.progress.note("the tokenizer changes the text, so bits per byte are not reported");
    }
    if (dataset.validationRows === 0)
      this.progress.note("no text is held out: validation loss is not measured");
    const unequal = describeLengths(dataset.lengths, stage.batch);
    if (unequal !== null) this.progress.note(unequal);
    return dataset;
  }

  async trainStage(model: TrainableModel, stage: StageSettings, dataset: TrainingData): Promise<void> {
    const stepper = new Stepper(model, stage, dataset, this.settings.seed);
    const watch = new Watch();
    const every = this.settings.checkpoint.every;
    if (this.isEvaluationMissing(stage)) await this.evaluateStage(model, stage, dataset);
    while (this.state.step < stage.schedule.steps && !this.mustStop) {
      const started = performance.now();
      const step = this.state.step + 1;
      const result = await stepper.run(step, this.state.rows, pause);
      const seconds = (performance.now() - started) / 1000;
      this.noteAll([watch.step(step, result.loss, this.state.smoothedLoss, result.gradientNorm)]);
      const before = this.state.smoothedLoss ?? result.loss;
      const smoothedLoss = before + smoothing * (result.loss - before);
      this.lastLoss = result.loss;
      this.state = {
        ...this.state,
        step,
        totalSteps: this.state.totalSteps + 1,
        rows: this.state.rows + stepper.rows,
        validationLoss: null,
        tokens: this.state.tokens + result.tokens,
        seconds: this.state.seconds + seconds,
        smoothedLoss,
      };
      const row = {
        kind: "step",
        stage: stage.name,
        step,
        totalSteps: this.state.totalSteps,
        loss: result.loss,
        lr: result.lr,
        gradientNorm: result.gradientNorm,
        tokens: this.state.tokens,
        tokensPerSecond: result.tokens / Math.max(seconds, 1e-9),
        seconds: this.state.seconds,
      } as const;
      this.metrics.add(row);
      this.progress.step(row, smoothedLoss);
      const last = step === stage.schedule.steps;
      if (isEvaluated(stage, step)) await this.evaluateStage(model, stage, dataset);
      if (last || (every > 0 && step % every === 0)) this.save(model);
      await pause();
    }
    // Asked to stop, or nothing was saved at the last step.
    this.save(model);
  }

  async evaluateStage(model: TrainableModel, stage: StageSettings, dataset: TrainingData): Promise<void> {
    const result = await evaluate(model, dataset, {
      sequences: stage.batch.sequences,
      rows: stage.evaluate.rows,
      objective: stage.loss.objective,
      scalars: { step: this.state.step },
      stopped: () => this.stop.reason !== null,
    });
    if (result === null) return;
    const { step, totalSteps } = this.state;
    const { loss, perplexity, bitsPerByte, targets } = result;
    const row = {
      kind: "evaluation",
      stage: stage.name,
      step,
      totalSteps,
      loss,
      perplexity,
      bitsPerByte,
      targets,
    } as const;
    this.metrics.add(row);
    this.progress.evaluation(row);
    const better = this.state.best === null || loss < this.state.best.loss;
    this.state = {
      ...this.state,
      validationLoss: loss,
      best: better ? { totalSteps, loss } : this.state.best,
    };
  }

  /** Saves unless this very step is saved. */
  save(model: TrainableModel): void {
    if (this.#savedAt === this.state.totalSteps) return;
    const state: RunState = {
      format: 1,
      ...this.state,
      seed: this.settings.seed,
      settingsHash: settingsHash(this.settings),
      settings: this.settings,
    };
    const parameters = parameterTensors(model);
    const states = stateTensors(model);
    this.checkpoint = saveCheckpoint(
      this.files,
      this.checkpoints,
      { state, parameters, states },
      this.settings.checkpoint.keep,
    );
    this.#savedAt = this.state.totalSteps;
    this.options.onCheckpoint?.(this.checkpoint);
  }

  noteAll(remarks: readonly (string | null)[]): void {
    for (const remark of remarks) if (remark !== null) this.progress.note(remark);
  }

  finish(): TrainResult {
    const { state } = this;
    const reason = this.stop.reason;
    const done = state.totalSteps >= this.allSteps;
    const outcome = done ? "finished" : (reason ?? "stopped");
    const exitCode = outcome === "finished" || outcome === "stopped" ? runtimeExit.ok : runtimeExit[outcome];
    const title = `${this.settings.model}: ${outcome} after ${state.totalSteps} of ${this.allSteps} steps`;
    const evaluation = this.progress.lastEvaluation;
    this.progress.close(
      closingTable(title, state, this.lastLoss, evaluation, this.options.runFolder, this.checkpoint),
    );
    return {
      outcome,
      exitCode,
      totalSteps: state.totalSteps,
      checkpoint: this.checkpoint,
      loss: this.lastLoss,
      validationLoss: state.validationLoss,
      best: state.best,
    };
  }

  close(): void {
    this.stop.close();
    this.#progress?.stop();
    this.#metrics?.close();
  }
}

/**
 * Trains as `settings` say. `open` makes the model of each stage; weights go from stage to stage by name. Returns when
 * all steps are done, `stopAfter` is reached, or a signal came; the state is then saved. Throws LctxErrors; what was saved
 * before stays.
 */
export async function train(
  open: OpenModel,
  settings: TrainSettings,
  options: TrainOptions,
): Promise<TrainResult> {
  const checked = checkSettings(settings);
  if (typeof options.stopAfter === "number" && options.stopAfter < 1) {
    throw new LctxError("settings-invalid", "a run takes at least one step");
  }
  try {
    makeDurableFolder(options.files ?? diskFiles, resolve(options.runFolder));
  } catch (cause) {
    throw writeFailure(options.runFolder, cause);
  }
  const release = lockRun(options.runFolder);
  const run = new Run(checked, options);
  try {
    return await run.run(open);
  } finally {
    run.close();
    release();
  }
}
