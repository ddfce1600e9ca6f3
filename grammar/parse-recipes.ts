/** Grammar of recipes: adapt, train and evaluate items. */
import type { ParserMethod } from "chevrotain";
import type {
  AdaptClause,
  Amount,
  DataClause,
  EvaluateClause,
  Expr,
  Identifier,
  ScheduleClause,
  SitePattern,
  SiteSegment,
  StageClause,
  StringExpr,
  TrainClause,
} from "./ast.ts";
import { ModuleParser } from "./parse-modules.ts";
import { stringValue } from "./parser-base.ts";
import * as t from "./tokens.ts";

const noClause = (): null => null;
type Clause<C> = ParserMethod<[], C | null>;

export class RecipeParser extends ModuleParser {
  readonly text: ParserMethod<[], StringExpr> = this.RULE(
    "text",
    (): StringExpr => {
      const start = this.here();
      const token = this.CONSUME(t.StringToken);
      return { kind: "string", value: stringValue(token.image), span: this.since(start) };
    },
    { recoveryValueFunc: (): StringExpr => ({ kind: "string", value: "", span: this.since(this.here()) }) },
  );

  /** `700` or `2%`. */
  readonly amount: ParserMethod<[], Amount> = this.RULE(
    "amount",
    (): Amount => {
      const value = this.SUBRULE(this.power);
      let percent = false;
      this.OPTION(() => {
        this.CONSUME(t.Percent);
        percent = true;
      });
      if (percent && value?.kind === "number")
        return { value: { ...value, value: value.value / 100 }, percent };
      return { value, percent };
    },
    { recoveryValueFunc: (): Amount => ({ value: this.errorExpr(), percent: false }) },
  );

  readonly siteSegment: ParserMethod<[], SiteSegment> = this.RULE(
    "siteSegment",
    (): SiteSegment => {
      const start = this.here();
      return this.OR<SiteSegment>([
        {
          ALT: () => {
            this.CONSUME(t.Star);
            return { kind: "any", span: this.since(start) };
          },
        },
        {
          ALT: () => {
            const names: Identifier[] = [];
            this.CONSUME(t.LeftBrace);
            this.AT_LEAST_ONE_SEP({
              SEP: t.Comma,
              DEF: () => names.push(this.identifier(this.CONSUME1(t.Name))),
            });
            this.CONSUME(t.RightBrace);
            return { kind: "one-of", names, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            const from = Number(this.CONSUME(t.NumberToken).image.replaceAll("_", ""));
            let to: number | null = null;
            this.OPTION(() => {
              this.CONSUME(t.keywords.to);
              to = Number(this.CONSUME1(t.NumberToken).image.replaceAll("_", ""));
            });
            const span = this.since(start);
            return to === null ? { kind: "number", value: from, span } : { kind: "range", from, to, span };
          },
        },
        { ALT: () => ({ kind: "name", name: this.name() }) },
      ]);
    },
    { recoveryValueFunc: (): SiteSegment => ({ kind: "any", span: this.since(this.here()) }) },
  );

  readonly sitePattern: ParserMethod<[], SitePattern> = this.RULE(
    "sitePattern",
    (): SitePattern => {
      const start = this.here();
      const segments = [this.SUBRULE(this.siteSegment)];
      this.MANY(() => {
        this.CONSUME(t.Dot);
        segments.push(this.SUBRULE1(this.siteSegment));
      });
      return { segments, span: this.since(start) };
    },
    { recoveryValueFunc: (): SitePattern => ({ segments: [], span: this.since(this.here()) }) },
  );

  readonly sitePatterns: ParserMethod<[], SitePattern[]> = this.RULE(
    "sitePatterns",
    (): SitePattern[] => {
      const sites: SitePattern[] = [];
      this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => sites.push(this.SUBRULE(this.sitePattern)) });
      return sites;
    },
    { recoveryValueFunc: (): SitePattern[] => [] },
  );

  readonly adaptClause: Clause<AdaptClause> = this.RULE(
    "adaptClause",
    (): AdaptClause | null => {
      const start = this.here();
      return this.OR<AdaptClause | null>([
        {
          ALT: () => {
            this.CONSUME(t.keywords.train);
            const sites = this.SUBRULE(this.sitePatterns);
            return { kind: "train-sites", sites, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            const adapter = this.callOf(this.SUBRULE(this.reference));
            this.CONSUME(t.keywords.on);
            const sites = this.SUBRULE1(this.sitePatterns);
            return { kind: "attach", adapter, sites, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );

  readonly dataClause: Clause<DataClause> = this.RULE(
    "dataClause",
    (): DataClause | null => {
      const start = this.here();
      let tokenizer: StringExpr | null = null;
      let length: Expr | null = null;
      let packed = false;
      let insert: DataClause["insert"] = null;
      let validate: Amount | null = null;
      this.CONSUME(t.keywords.data);
      this.CONSUME(t.keywords.tokens);
      const source = this.SUBRULE(this.text);
      this.MANY(() =>
        this.OR([
          {
            ALT: () => {
              this.CONSUME(t.keywords.tokenizer);
              tokenizer = this.SUBRULE1(this.text);
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.keywords.length);
              length = this.SUBRULE(this.expression);
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.keywords.packed);
              this.CONSUME(t.keywords.by);
              this.CONSUME(t.keywords.document);
              packed = true;
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.keywords.insert);
              const token = this.name();
              this.CONSUME(t.keywords.every);
              insert = { token, every: this.SUBRULE1(this.expression) };
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.keywords.validate);
              validate = this.SUBRULE(this.amount);
            },
          },
        ]),
      );
      return { kind: "data", source, tokenizer, length, packed, insert, validate, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly scheduleClause: Clause<ScheduleClause> = this.RULE(
    "scheduleClause",
    (): ScheduleClause | null => {
      const start = this.here();
      let warmup: Amount | null = null;
      let to: Expr | null = null;
      this.CONSUME(t.keywords.schedule);
      this.OPTION(() => {
        this.CONSUME(t.keywords.warmup);
        warmup = this.SUBRULE(this.amount);
        this.CONSUME(t.keywords.then);
      });
      const shape = this.name();
      this.OPTION1(() => {
        this.CONSUME(t.keywords.to);
        to = this.SUBRULE(this.expression);
      });
      this.CONSUME(t.keywords.over);
      const over = this.SUBRULE1(this.expression);
      return { kind: "schedule", warmup, shape, to, over, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly batchClause: Clause<TrainClause> = this.RULE(
    "batchClause",
    (): TrainClause | null => {
      const start = this.here();
      let accumulate: Expr | null = null;
      this.CONSUME(t.keywords.batch);
      const size = this.SUBRULE(this.expression);
      const unit = this.OR([
        { ALT: () => this.CONSUME(t.keywords.tokens) },
        { ALT: () => this.CONSUME(t.keywords.sequences) },
      ]);
      this.OPTION(() => {
        this.CONSUME(t.keywords.accumulate);
        accumulate = this.SUBRULE1(this.expression);
      });
      return {
        kind: "batch",
        size,
        unit: unit.image === "tokens" ? "tokens" : "sequences",
        accumulate,
        span: this.since(start),
      };
    },
    { recoveryValueFunc: noClause },
  );

  readonly stageClause: Clause<StageClause> = this.RULE(
    "stageClause",
    (): StageClause | null => {
      const start = this.here();
      const clauses: TrainClause[] = [];
      this.CONSUME(t.keywords.stage);
      const name = this.name();
      this.CONSUME(t.LeftBrace);
      this.deeper(() =>
        this.MANY(() => {
          const clause = this.SUBRULE(this.trainClause);
          if (clause) clauses.push(clause);
        }),
      );
      this.CONSUME(t.RightBrace);
      return { kind: "stage", name, clauses, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  /** Clauses of one word and one name or number. */
  readonly smallTrainClause: Clause<TrainClause> = this.RULE(
    "smallTrainClause",
    (): TrainClause | null => {
      const start = this.here();
      return this.OR<TrainClause | null>([
        {
          ALT: () => {
            this.CONSUME(t.keywords.loss);
            const objective = this.identifier(this.CONSUME1(t.Name));
            let except: Identifier | null = null;
            this.OPTION(() => {
              this.CONSUME(t.keywords.except);
              except = this.identifier(this.CONSUME2(t.Name));
            });
            return { kind: "loss", objective, except, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.optimizer);
            const optimizer = this.callOf(this.SUBRULE(this.reference));
            return { kind: "optimizer-choice", optimizer, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            const word = this.OR1([
              { ALT: () => this.CONSUME(t.keywords.precision) },
              { ALT: () => this.CONSUME(t.keywords.recompute) },
            ]);
            const value = this.identifier(this.CONSUME3(t.Name));
            return {
              kind: word.image === "recompute" ? "recompute" : "precision",
              value,
              span: this.since(start),
            };
          },
        },
        {
          ALT: () => {
            const word = this.OR2([
              { ALT: () => this.CONSUME(t.keywords.seed) },
              { ALT: () => this.CONSUME(t.keywords.clip) },
            ]);
            const value = this.SUBRULE(this.expression);
            return { kind: word.image === "clip" ? "clip" : "seed", value, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.train);
            const sites = this.SUBRULE(this.sitePatterns);
            return { kind: "train-sites", sites, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );

  readonly trainClause: Clause<TrainClause> = this.RULE(
    "trainClause",
    (): TrainClause | null =>
      this.OR<TrainClause | null>([
        { ALT: () => this.SUBRULE(this.dataClause) },
        { ALT: () => this.SUBRULE(this.scheduleClause) },
        { ALT: () => this.SUBRULE(this.batchClause) },
        { ALT: () => this.SUBRULE(this.stageClause) },
        { ALT: () => this.SUBRULE(this.smallTrainClause) },
      ]),
    { recoveryValueFunc: noClause },
  );

  readonly evaluateClause: Clause<EvaluateClause> = this.RULE(
    "evaluateClause",
    (): EvaluateClause | null => {
      const start = this.here();
      return this.OR<EvaluateClause | null>([
        {
          ALT: () => {
            this.CONSUME(t.keywords.task);
            const called = this.SUBRULE(this.reference);
            const task =
              called?.kind === "name" ? { text: called.name, span: called.span } : this.callOf(called);
            let lengths: { from: Expr; to: Expr | null; doubling: boolean } | null = null;
            this.OPTION(() => {
              this.CONSUME(t.keywords.at);
              this.CONSUME(t.keywords.lengths);
              const from = this.SUBRULE(this.expression);
              let to: Expr | null = null;
              let doubling = false;
              this.OPTION1(() => {
                this.CONSUME(t.keywords.to);
                to = this.SUBRULE1(this.expression);
                this.OPTION2(() => {
                  this.CONSUME(t.keywords.doubling);
                  doubling = true;
                });
              });
              lengths = { from, to, doubling };
            });
            return { kind: "task", task, lengths, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.metric);
            const metric = this.name();
            return { kind: "metric", metric, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );
}
