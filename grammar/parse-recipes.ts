/** Grammar of recipes: the clauses of adapt and train items. */
import type { ParserMethod } from "chevrotain";
import type {
  AdaptClause,
  Amount,
  DataClause,
  DataPart,
  Expr,
  Identifier,
  ScheduleClause,
  SitePattern,
  SiteSegment,
  StageClause,
  StringExpr,
  TrainClause,
} from "./ast.ts";
import { TaskParser } from "./parse-tasks.ts";
import * as t from "./tokens.ts";

const noClause = (): null => null;
type Clause<C> = ParserMethod<[], C | null>;

export class RecipeParser extends TaskParser {
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

  /** `tokens "text"` or `task needle()`, as it stands alone or before its share. */
  readonly dataPart: ParserMethod<[], DataPart> = this.RULE(
    "dataPart",
    (): DataPart => {
      const start = this.here();
      return this.OR<DataPart>([
        {
          ALT: () => {
            this.CONSUME(t.keywords.tokens);
            const source = this.SUBRULE(this.text);
            return { kind: "tokens", source, share: null, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.task);
            const task = this.callOf(this.SUBRULE(this.reference));
            return { kind: "task", task, share: null, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: (): DataPart => this.noPart() },
  );

  readonly dataMix: ParserMethod<[], DataPart[]> = this.RULE(
    "dataMix",
    (): DataPart[] => {
      const parts: DataPart[] = [];
      this.CONSUME(t.keywords.mix);
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const part = this.SUBRULE(this.dataPart);
        parts.push({ ...part, share: this.SUBRULE(this.amount) });
      });
      this.CONSUME(t.RightBrace);
      return parts;
    },
    { recoveryValueFunc: (): DataPart[] => [] },
  );

  private noPart(): DataPart {
    const span = this.since(this.here());
    return { kind: "tokens", source: { kind: "string", value: "", span }, share: null, span };
  }

  readonly dataClause: Clause<DataClause> = this.RULE(
    "dataClause",
    (): DataClause | null => {
      const start = this.here();
      let tokenizer: StringExpr | null = null;
      let length: Expr | null = null;
      let packed = false;
      let cut = false;
      let insert: DataClause["insert"] = null;
      let validate: Amount | null = null;
      let parts: readonly DataPart[] = [];
      let mixed = false;
      this.CONSUME(t.keywords.data);
      this.OR1([
        { ALT: () => (parts = [this.SUBRULE(this.dataPart)]) },
        {
          ALT: () => {
            mixed = true;
            parts = this.SUBRULE(this.dataMix);
          },
        },
      ]);
      this.MANY(() =>
        this.OR([
          {
            ALT: () => {
              this.CONSUME(t.keywords.tokenizer);
              tokenizer = this.SUBRULE(this.text);
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
              this.CONSUME(t.keywords.cut);
              this.CONSUME1(t.keywords.by);
              this.CONSUME1(t.keywords.document);
              cut = true;
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
      return {
        kind: "data",
        parts,
        mixed,
        tokenizer,
        length,
        packed,
        cut,
        insert,
        validate,
        span: this.since(start),
      };
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
            let on: Identifier | null = null;
            let except: Identifier | null = null;
            this.OPTION1(() => {
              this.CONSUME(t.keywords.on);
              on = this.identifier(this.CONSUME4(t.Name));
            });
            this.OPTION(() => {
              this.CONSUME(t.keywords.except);
              except = this.identifier(this.CONSUME2(t.Name));
            });
            return { kind: "loss", objective, on, except, span: this.since(start) };
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
}
