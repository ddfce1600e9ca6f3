/** Grammar of the clauses of modules, adapters, optimizers and rotations. */
import type { ParserMethod } from "chevrotain";
import type {
  AdapterClause,
  Axis,
  CallExpr,
  Expr,
  Identifier,
  LetClause,
  ModuleClause,
  Parameter,
  RotationClause,
  StateClause,
  UpdateClause,
} from "./ast.ts";
import { type Clause, ClauseParser, noClause } from "./parse-clauses.ts";
import * as t from "./tokens.ts";

export class ModuleParser extends ClauseParser {
  readonly parameters: ParserMethod<[], Parameter[]> = this.RULE(
    "parameters",
    (): Parameter[] => {
      const list: Parameter[] = [];
      this.CONSUME(t.LeftParen);
      this.MANY({
        GATE: () => this.LA(1).tokenType !== t.RightParen,
        DEF: () => {
          const start = this.here();
          const name = this.name();
          const axes = this.optionalAxes();
          let type: Identifier | null = null;
          let typeAxes: Axis[] = [];
          let value: Expr | null = null;
          this.OPTION(() => {
            this.CONSUME(t.Colon);
            type = this.identifier(this.CONSUME1(t.Name));
            this.OPTION1(() => {
              typeAxes = this.SUBRULE(this.axes);
            });
          });
          this.OPTION2(() => {
            this.CONSUME(t.Equal);
            value = this.SUBRULE(this.expression);
          });
          list.push({ name, axes, type, typeAxes, value, span: this.since(start) });
          this.OPTION3(() => this.CONSUME(t.Comma));
        },
      });
      this.CONSUME(t.RightParen);
      return list;
    },
    { recoveryValueFunc: (): Parameter[] => [] },
  );

  protected optionalParameters(): Parameter[] {
    let list: Parameter[] = [];
    this.OPTION7(() => {
      list = this.SUBRULE7(this.parameters);
    });
    return list;
  }

  /** A call as a value of its own: `linear(in: width)`; anything else is kept for the checker as a call without a name. */
  protected callOf(value: Expr): CallExpr {
    if (value?.kind === "call") return value;
    const span = value?.span ?? this.since(this.here());
    const name = value?.kind === "name" ? value.name : "";
    return { kind: "call", callee: { kind: "name", name, span }, arguments: [], span };
  }

  readonly moduleClause: Clause<ModuleClause> = this.RULE(
    "moduleClause",
    (): ModuleClause | null => {
      const start = this.here();
      return this.OR<ModuleClause | null>([
        { ALT: () => this.SUBRULE(this.paramClause) },
        { ALT: () => this.SUBRULE(this.letClause) },
        {
          ALT: () => {
            this.CONSUME(t.keywords.input);
            const name = this.name();
            const axes = this.optionalAxes();
            let type: Identifier | null = null;
            this.OPTION(() => {
              this.CONSUME(t.Colon);
              type = this.identifier(this.CONSUME1(t.Name));
            });
            return { kind: "input", name, axes, type, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.child);
            const path = [this.identifier(this.CONSUME2(t.Name))];
            this.MANY(() => {
              this.CONSUME(t.Dot);
              path.push(this.identifier(this.CONSUME3(t.Name)));
            });
            this.CONSUME(t.Equal);
            const module = this.callOf(this.SUBRULE(this.expression));
            let where: Expr | null = null;
            this.OPTION1(() => {
              this.CONSUME(t.keywords.where);
              where = this.SUBRULE1(this.expression);
            });
            return { kind: "child", path, repeat: null, module, where, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.repeat);
            const name = this.identifier(this.CONSUME4(t.Name));
            const axes = this.SUBRULE(this.axes);
            this.CONSUME1(t.Equal);
            const module = this.callOf(this.SUBRULE2(this.expression));
            const repeat = axes?.[0] ?? { name, size: null };
            return { kind: "child", path: [name], repeat, module, where: null, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.site);
            const site = this.identifier(this.CONSUME5(t.Name));
            return { kind: "site", site, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.output);
            const value = this.SUBRULE3(this.expression);
            return { kind: "output", value, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );

  readonly adapterClause: Clause<AdapterClause> = this.RULE(
    "adapterClause",
    (): AdapterClause | null => {
      const start = this.here();
      return this.OR<AdapterClause | null>([
        { ALT: () => this.SUBRULE(this.paramClause) },
        { ALT: () => this.SUBRULE(this.letClause) },
        {
          ALT: () => {
            this.CONSUME(t.keywords.input);
            const value = this.SUBRULE(this.expression);
            return { kind: "adapter-input", value, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.output);
            const value = this.SUBRULE1(this.expression);
            return { kind: "output", value, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.prepend);
            const parts: { target: Identifier; value: Expr }[] = [];
            this.AT_LEAST_ONE_SEP({
              SEP: t.Comma,
              DEF: () => {
                const target = this.name();
                parts.push({ target, value: this.SUBRULE2(this.expression) });
              },
            });
            return { kind: "prepend", parts, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );

  readonly optimizerClause: Clause<LetClause | StateClause | UpdateClause> = this.RULE(
    "optimizerClause",
    (): LetClause | StateClause | UpdateClause | null => {
      const start = this.here();
      return this.OR<LetClause | StateClause | UpdateClause | null>([
        { ALT: () => this.SUBRULE(this.letClause) },
        {
          ALT: () => {
            this.CONSUME(t.keywords.state);
            const name = this.name();
            this.CONSUME(t.Equal);
            const value = this.SUBRULE(this.expression);
            return { kind: "state", name, value, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.update);
            const value = this.SUBRULE1(this.expression);
            return { kind: "update", value, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );

  readonly rotationClause: Clause<RotationClause> = this.RULE(
    "rotationClause",
    (): RotationClause | null => {
      const start = this.here();
      return this.OR<RotationClause | null>([
        { ALT: () => this.SUBRULE(this.letClause) },
        {
          ALT: () => {
            const word = this.OR1([
              { ALT: () => this.CONSUME(t.keywords.angle) },
              { ALT: () => this.CONSUME(t.keywords.scale) },
              { ALT: () => this.CONSUME(t.keywords.rotated) },
            ]);
            const value = this.SUBRULE(this.expression);
            const kind = word.image === "scale" ? "scale" : word.image === "rotated" ? "rotated" : "angle";
            return { kind, value, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.keywords.layout);
            const value = this.name();
            return { kind: "layout", value, span: this.since(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: noClause },
  );
}
