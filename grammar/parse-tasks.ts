/** Grammar of tasks: task items, and the clauses of evaluations that use them. */
import type { ParserMethod } from "chevrotain";
import type { Amount, Axis, EvaluateClause, Expr, Identifier, Item, StringExpr, TaskClause } from "./ast.ts";
import { type Clause, noClause } from "./parse-clauses.ts";
import { ModuleParser } from "./parse-modules.ts";
import { stringValue } from "./parser-base.ts";
import * as t from "./tokens.ts";

type Lengths = Extract<EvaluateClause, { kind: "task" }>["lengths"];

export class TaskParser extends ModuleParser {
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

  readonly taskClause: Clause<TaskClause> = this.RULE(
    "taskClause",
    (): TaskClause | null => {
      const start = this.here();
      return this.OR<TaskClause | null>([
        { ALT: () => this.SUBRULE(this.letClause) },
        {
          ALT: () => {
            const word = this.OR1([
              { ALT: () => this.CONSUME(t.keywords.start) },
              { ALT: () => this.CONSUME(t.keywords.ask) },
              { ALT: () => this.CONSUME(t.keywords.answer) },
            ]);
            const text = this.SUBRULE(this.text);
            const part = word.image === "ask" || word.image === "answer" ? word.image : "start";
            return { kind: "task-text", part, text, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.filler);
            const value = this.OR2([
              { ALT: () => this.SUBRULE1(this.text) },
              { ALT: () => this.callOf(this.SUBRULE(this.reference)) },
            ]);
            return { kind: "filler", value, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            let axes: Axis[] = [];
            let at: Expr | null = null;
            this.CONSUME(t.keywords.insert);
            this.OPTION(() => {
              axes = this.SUBRULE(this.axes);
            });
            const text = this.SUBRULE2(this.text);
            this.OPTION1(() => {
              this.CONSUME(t.keywords.at);
              at = this.SUBRULE(this.expression);
            });
            return { kind: "task-insert", axes, text, at, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );

  readonly taskItem: ParserMethod<[], Item | null> = this.RULE(
    "taskItem",
    (): Item | null => {
      const start = this.here();
      const clauses: TaskClause[] = [];
      this.CONSUME(t.keywords.task);
      const name = this.name();
      const parameters = this.optionalParameters();
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const clause = this.SUBRULE(this.taskClause);
        if (clause) clauses.push(clause);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "task", name, parameters, clauses, docs: "", span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  /** `512, 1024 to 8192 doubling`. */
  readonly taskLengths: ParserMethod<[], Lengths> = this.RULE(
    "taskLengths",
    (): Lengths => {
      const values: Expr[] = [];
      let to: Expr | null = null;
      this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => values.push(this.SUBRULE(this.expression)) });
      this.OPTION(() => {
        this.CONSUME(t.keywords.to);
        to = this.SUBRULE1(this.expression);
        this.CONSUME(t.keywords.doubling);
      });
      return { values, to };
    },
    { recoveryValueFunc: (): Lengths => null },
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
            const bare = called?.kind === "name";
            const task = this.callOf(called);
            let lengths: Lengths = null;
            const depths: Amount[] = [];
            this.OPTION(() => {
              this.CONSUME(t.keywords.at);
              this.CONSUME(t.keywords.lengths);
              lengths = this.SUBRULE(this.taskLengths);
            });
            this.OPTION1(() => {
              this.CONSUME(t.keywords.depths);
              this.AT_LEAST_ONE_SEP({
                SEP: t.Comma,
                DEF: () => depths.push(this.SUBRULE(this.amount)),
              });
            });
            return { kind: "task", task, bare, lengths, depths, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.metric);
            const metric: Identifier = this.name();
            return { kind: "metric", metric, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.samples);
            const value = this.SUBRULE1(this.expression);
            return { kind: "samples", value, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.seed);
            const value = this.SUBRULE2(this.expression);
            return { kind: "seed", value, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );
}
