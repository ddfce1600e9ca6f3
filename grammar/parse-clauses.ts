/** Grammar of clauses: what stands between the braces of attentions, and what other clauses share. */
import type { IToken, ParserMethod } from "chevrotain";
import type {
  AttentionClause,
  Axis,
  Expr,
  Identifier,
  LetClause,
  ParamClause,
  ParamTable,
  RotateClause,
} from "./ast.ts";
import { ExpressionParser } from "./parse-expressions.ts";
import * as t from "./tokens.ts";

export const noClause = (): null => null;

/** A clause of a kind, or null where the parser could not read one. */
export type Clause<C> = ParserMethod<[], C | null>;

export class ClauseParser extends ExpressionParser {
  /** `[h, u: 32]`, or nothing. */
  readonly axes: ParserMethod<[], Axis[]> = this.RULE(
    "axes",
    (): Axis[] => {
      const axes: Axis[] = [];
      this.CONSUME(t.LeftBracket);
      this.AT_LEAST_ONE_SEP({
        SEP: t.Comma,
        DEF: () => {
          const name = this.name();
          let size: Expr | null = null;
          this.OPTION(() => {
            this.CONSUME(t.Colon);
            size = this.SUBRULE(this.expression);
          });
          axes.push({ name, size });
        },
      });
      this.CONSUME(t.RightBracket);
      return axes;
    },
    { recoveryValueFunc: (): Axis[] => [] },
  );

  /** `[h, d]`, or nothing. */
  protected optionalAxes(): Axis[] {
    let axes: Axis[] = [];
    this.OPTION9(() => {
      axes = this.SUBRULE9(this.axes);
    });
    return axes;
  }

  readonly letClause: Clause<LetClause> = this.RULE(
    "letClause",
    (): LetClause | null => {
      const start = this.here();
      this.CONSUME(t.keywords.let);
      const name = this.name();
      let form: LetClause["form"] = { kind: "value" };
      this.OPTION(() =>
        this.OR([
          {
            ALT: () => {
              const axes = this.SUBRULE(this.axes);
              form = { kind: "table", axes };
            },
          },
          {
            ALT: () => {
              const parameters: Identifier[] = [];
              this.CONSUME(t.LeftParen);
              this.AT_LEAST_ONE_SEP({
                SEP: t.Comma,
                DEF: () => parameters.push(this.identifier(this.CONSUME1(t.Name))),
              });
              this.CONSUME(t.RightParen);
              form = { kind: "function", parameters };
            },
          },
        ]),
      );
      this.CONSUME(t.Equal);
      const value = this.SUBRULE(this.expression);
      return { kind: "let", name, form, value, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly paramClause: Clause<ParamClause> = this.RULE(
    "paramClause",
    (): ParamClause | null => {
      const start = this.here();
      const tables: ParamTable[] = [];
      this.CONSUME(t.keywords.param);
      this.AT_LEAST_ONE_SEP({
        SEP: t.Comma,
        DEF: () => {
          const from = this.here();
          const name = this.name();
          const axes = this.optionalAxes();
          let init: Expr | null = null;
          let where: Expr | null = null;
          this.OPTION(() => {
            this.CONSUME(t.Equal);
            init = this.SUBRULE(this.expression);
          });
          this.OPTION1(() => {
            this.CONSUME(t.keywords.where);
            where = this.SUBRULE1(this.expression);
          });
          tables.push({ name, axes, init, where, span: this.since(from) });
        },
      });
      return { kind: "param", tables, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  /** A clause that is one word and one expression; `score = e` has a sign between. */
  protected wordAndValue(word: IToken): Expr {
    void word;
    this.OPTION8(() => this.CONSUME(t.Equal));
    return this.SUBRULE8(this.expression);
  }

  readonly blocksClause: Clause<AttentionClause> = this.RULE(
    "blocksClause",
    (): AttentionClause | null => {
      const start = this.here();
      this.CONSUME(t.keywords.blocks);
      const name = this.name();
      this.CONSUME(t.keywords.by);
      const size = this.SUBRULE(this.expression);
      return { kind: "blocks", name, size, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly diagonalsClause: Clause<AttentionClause> = this.RULE(
    "diagonalsClause",
    (): AttentionClause | null => {
      const start = this.here();
      this.CONSUME(t.keywords.diagonals);
      const name = this.name();
      this.CONSUME(t.Equal);
      const value = this.SUBRULE(this.expression);
      return { kind: "diagonals", name, value, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly valueClause: Clause<AttentionClause> = this.RULE(
    "valueClause",
    (): AttentionClause | null => {
      const start = this.here();
      const word = this.OR([
        { ALT: () => this.CONSUME(t.keywords.mask) },
        { ALT: () => this.CONSUME(t.keywords.ahead) },
        { ALT: () => this.CONSUME(t.keywords.score) },
        { ALT: () => this.CONSUME(t.keywords.weight) },
      ]);
      const value = this.wordAndValue(word);
      const kinds: Readonly<Record<string, "mask-clause" | "ahead" | "score-clause" | "weight-clause">> = {
        ahead: "ahead",
        score: "score-clause",
        weight: "weight-clause",
      };
      return { kind: kinds[word.image] ?? "mask-clause", value, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly rotateClause: Clause<RotateClause> = this.RULE(
    "rotateClause",
    (): RotateClause | null => {
      const start = this.here();
      const positions: { name: Identifier; at: Expr }[] = [];
      let where: Expr | null = null;
      this.CONSUME(t.keywords.rotate);
      this.AT_LEAST_ONE_SEP({
        SEP: t.Comma,
        DEF: () => {
          const name = this.name();
          this.CONSUME(t.keywords.at);
          positions.push({ name, at: this.SUBRULE(this.expression) });
        },
      });
      this.OPTION(() => {
        this.CONSUME(t.keywords.where);
        where = this.SUBRULE1(this.expression);
      });
      return { kind: "rotate", positions, where, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly selectClause: Clause<AttentionClause> = this.RULE(
    "selectClause",
    (): AttentionClause | null => {
      const start = this.here();
      const axes: Identifier[] = [];
      let always: Expr | null = null;
      let where: Expr | null = null;
      this.CONSUME(t.keywords.select);
      const name = this.name();
      this.CONSUME(t.LeftBracket);
      this.AT_LEAST_ONE_SEP({
        SEP: t.Comma,
        DEF: () => axes.push(this.identifier(this.CONSUME1(t.Name))),
      });
      this.CONSUME(t.RightBracket);
      this.CONSUME(t.keywords.from);
      const from = this.identifier(this.CONSUME2(t.Name));
      this.CONSUME(t.keywords.by);
      const by = this.SUBRULE(this.expression);
      const word = this.OR([
        { ALT: () => this.CONSUME(t.keywords.top) },
        { ALT: () => this.CONSUME(t.keywords.above) },
      ]);
      const value = this.SUBRULE1(this.expression);
      this.OPTION(() => {
        this.CONSUME(t.keywords.always);
        always = this.SUBRULE2(this.expression);
      });
      this.OPTION1(() => {
        this.CONSUME(t.keywords.where);
        where = this.SUBRULE3(this.expression);
      });
      const limit = { kind: word.image === "above" ? "above" : "top", value } as const;
      return { kind: "select", name, axes, from, by, limit, always, where, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly teachClause: Clause<AttentionClause> = this.RULE(
    "teachClause",
    (): AttentionClause | null => {
      const start = this.here();
      let scale: Expr | null = null;
      this.CONSUME(t.keywords.teach);
      const name = this.name();
      this.CONSUME(t.keywords.by);
      const by = this.identifier(this.CONSUME1(t.Name));
      this.CONSUME(t.keywords.from);
      const from = this.SUBRULE(this.expression);
      this.OPTION(() => {
        this.CONSUME(t.keywords.scale);
        scale = this.SUBRULE1(this.expression);
      });
      return { kind: "teach", name, by, from, scale, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly phaseClause: Clause<AttentionClause> = this.RULE(
    "phaseClause",
    (): AttentionClause | null => {
      const start = this.here();
      let phase: Identifier | null = null;
      this.OR([
        {
          ALT: () => {
            this.CONSUME(t.keywords.when);
            phase = this.name();
          },
        },
        { ALT: () => this.CONSUME(t.keywords.otherwise) },
      ]);
      this.CONSUME(t.LeftBrace);
      const clauses: AttentionClause[] = [];
      this.deeper(() =>
        this.MANY(() => {
          const clause = this.SUBRULE(this.attentionClause);
          if (clause) clauses.push(clause);
        }),
      );
      this.CONSUME(t.RightBrace);
      return { kind: "phase", phase, clauses, span: this.since(start) };
    },
    { recoveryValueFunc: noClause },
  );

  readonly attentionClause: Clause<AttentionClause> = this.RULE(
    "attentionClause",
    (): AttentionClause | null =>
      this.OR<AttentionClause | null>([
        { ALT: () => this.SUBRULE(this.blocksClause) },
        { ALT: () => this.SUBRULE(this.diagonalsClause) },
        { ALT: () => this.SUBRULE(this.paramClause) },
        { ALT: () => this.SUBRULE(this.letClause) },
        { ALT: () => this.SUBRULE(this.valueClause) },
        { ALT: () => this.SUBRULE(this.rotateClause) },
        { ALT: () => this.SUBRULE(this.selectClause) },
        { ALT: () => this.SUBRULE(this.teachClause) },
        { ALT: () => this.SUBRULE(this.phaseClause) },
      ]),
    { recoveryValueFunc: noClause },
  );
}
