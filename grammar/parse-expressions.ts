/** Grammar of expressions: one rule a production, named as in grammar.ebnf. */
import type { ParserMethod } from "chevrotain";
import type { Argument, Binder, Expr, Identifier, Reducer } from "./ast.ts";
import { ParserBase, stringValue } from "./parser-base.ts";
import * as t from "./tokens.ts";

type CompareOp = "<" | "<=" | ">" | ">=" | "==" | "!=";

export class ExpressionParser extends ParserBase {
  readonly expression: ParserMethod<[], Expr> = this.RULE(
    "expression",
    (): Expr =>
      this.deeper(() =>
        this.OR([
          { ALT: () => this.SUBRULE(this.conditional) },
          { ALT: () => this.SUBRULE(this.disjunction) },
        ]),
      ),
    { recoveryValueFunc: this.errorExpr },
  );

  readonly conditional: ParserMethod<[], Expr> = this.RULE(
    "conditional",
    (): Expr => {
      const start = this.here();
      this.CONSUME(t.keywords.if);
      const condition = this.SUBRULE(this.expression);
      this.CONSUME(t.keywords.then);
      const then = this.SUBRULE1(this.expression);
      this.CONSUME(t.keywords.else);
      const otherwise = this.SUBRULE2(this.expression);
      return { kind: "if", condition, then, otherwise, span: this.since(start) };
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly disjunction: ParserMethod<[], Expr> = this.RULE(
    "disjunction",
    (): Expr => {
      const start = this.here();
      let left = this.SUBRULE(this.conjunction);
      let operands = 1;
      this.MANY(() => {
        this.chained(++operands);
        this.CONSUME(t.keywords.or);
        const right = this.SUBRULE1(this.conjunction);
        left = { kind: "logic", op: "or", left, right, span: this.since(start) };
      });
      return left;
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly conjunction: ParserMethod<[], Expr> = this.RULE(
    "conjunction",
    (): Expr => {
      const start = this.here();
      let left = this.SUBRULE(this.negation);
      let operands = 1;
      this.MANY(() => {
        this.chained(++operands);
        this.CONSUME(t.keywords.and);
        const right = this.SUBRULE1(this.negation);
        left = { kind: "logic", op: "and", left, right, span: this.since(start) };
      });
      return left;
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly negation: ParserMethod<[], Expr> = this.RULE(
    "negation",
    (): Expr => {
      const start = this.here();
      return this.deeper(() =>
        this.OR([
          {
            ALT: (): Expr => {
              this.CONSUME(t.keywords.not);
              const operand = this.SUBRULE(this.negation);
              return { kind: "unary", op: "not", operand, span: this.since(start) };
            },
          },
          { ALT: () => this.SUBRULE(this.comparison) },
        ]),
      );
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly comparison: ParserMethod<[], Expr> = this.RULE(
    "comparison",
    (): Expr => {
      const start = this.here();
      const first = this.SUBRULE(this.sum);
      const operands = [first];
      const operators: CompareOp[] = [];
      let result: Expr = first;
      this.OPTION(() => {
        this.OR([
          {
            ALT: () => {
              this.AT_LEAST_ONE(() => {
                operators.push(this.SUBRULE(this.compareOperator));
                operands.push(this.SUBRULE1(this.sum));
              });
              result = { kind: "compare", operators, operands, span: this.since(start) };
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.keywords.in);
              const set = this.SUBRULE2(this.sum);
              result = { kind: "membership", element: first, set, span: this.since(start) };
            },
          },
        ]);
      });
      return result;
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly compareOperator: ParserMethod<[], CompareOp> = this.RULE(
    "compareOperator",
    (): CompareOp =>
      this.OR([
        { ALT: () => this.CONSUME(t.Less) },
        { ALT: () => this.CONSUME(t.LessEqual) },
        { ALT: () => this.CONSUME(t.Greater) },
        { ALT: () => this.CONSUME(t.GreaterEqual) },
        { ALT: () => this.CONSUME(t.EqualEqual) },
        { ALT: () => this.CONSUME(t.NotEqual) },
      ]).image as CompareOp,
    { recoveryValueFunc: (): CompareOp => "==" },
  );

  readonly sum: ParserMethod<[], Expr> = this.RULE(
    "sum",
    (): Expr => {
      const start = this.here();
      let left = this.SUBRULE(this.product);
      let operands = 1;
      this.MANY(() => {
        this.chained(++operands);
        const op = this.OR([{ ALT: () => this.CONSUME(t.Plus) }, { ALT: () => this.CONSUME(t.Minus) }]);
        const right = this.SUBRULE1(this.product);
        left = { kind: "binary", op: op.image as "+" | "-", left, right, span: this.since(start) };
      });
      return left;
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly product: ParserMethod<[], Expr> = this.RULE(
    "product",
    (): Expr => {
      const start = this.here();
      let left = this.SUBRULE(this.signed);
      let operands = 1;
      this.MANY(() => {
        this.chained(++operands);
        const op = this.OR([
          { ALT: () => this.CONSUME(t.Star) },
          { ALT: () => this.CONSUME(t.Slash) },
          { ALT: () => this.CONSUME(t.Percent) },
        ]);
        const right = this.SUBRULE1(this.signed);
        left = { kind: "binary", op: op.image as "*" | "/" | "%", left, right, span: this.since(start) };
      });
      return left;
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly signed: ParserMethod<[], Expr> = this.RULE(
    "signed",
    (): Expr => {
      const start = this.here();
      return this.deeper(() =>
        this.OR([
          {
            ALT: (): Expr => {
              this.CONSUME(t.Minus);
              const operand = this.SUBRULE(this.signed);
              return { kind: "unary", op: "-", operand, span: this.since(start) };
            },
          },
          { ALT: () => this.SUBRULE(this.power) },
        ]),
      );
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly power: ParserMethod<[], Expr> = this.RULE(
    "power",
    (): Expr => {
      const start = this.here();
      const left = this.SUBRULE(this.primary);
      let result = left;
      this.OPTION(() => {
        this.CONSUME(t.Caret);
        const right = this.SUBRULE(this.signed);
        result = { kind: "binary", op: "^", left, right, span: this.since(start) };
      });
      return result;
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly primary: ParserMethod<[], Expr> = this.RULE(
    "primary",
    (): Expr => {
      const start = this.here();
      return this.OR([
        {
          ALT: (): Expr => {
            const text = this.CONSUME(t.NumberToken).image;
            return { kind: "number", value: Number(text.replaceAll("_", "")), text, span: this.since(start) };
          },
        },
        {
          ALT: (): Expr => {
            const { image } = this.CONSUME(t.StringToken);
            return { kind: "string", value: stringValue(image), span: this.since(start) };
          },
        },
        { ALT: () => this.SUBRULE(this.parenthesised) },
        {
          GATE: () => t.reducers.has(this.LA(1).image) && this.LA(2).tokenType === t.LeftBracket,
          ALT: () => this.SUBRULE(this.reduction),
        },
        { ALT: () => this.SUBRULE(this.reference) },
      ]);
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly parenthesised: ParserMethod<[], Expr> = this.RULE(
    "parenthesised",
    (): Expr => {
      const start = this.here();
      const elements: Expr[] = [];
      this.CONSUME(t.LeftParen);
      this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => elements.push(this.SUBRULE(this.expression)) });
      this.CONSUME(t.RightParen);
      if (elements.length === 1) return elements[0]!;
      return { kind: "tuple", elements, span: this.since(start) };
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly reduction: ParserMethod<[], Expr> = this.RULE(
    "reduction",
    (): Expr => {
      const start = this.here();
      const op = this.CONSUME(t.Name).image as Reducer;
      const binders: Binder[] = [];
      let per: Identifier | null = null;
      let guard: Expr | null = null;
      this.CONSUME(t.LeftBracket);
      this.AT_LEAST_ONE_SEP({
        SEP: t.Comma,
        DEF: () => {
          const name = this.identifier(this.CONSUME1(t.Name));
          let inside: Identifier | null = null;
          this.OPTION(() => {
            this.CONSUME(t.keywords.in);
            inside = this.identifier(this.CONSUME2(t.Name));
          });
          binders.push({ name, in: inside });
        },
      });
      this.OPTION1(() => {
        this.CONSUME(t.keywords.per);
        per = this.identifier(this.CONSUME3(t.Name));
      });
      this.OPTION2(() => {
        this.CONSUME(t.keywords.if);
        guard = this.SUBRULE(this.expression);
      });
      this.CONSUME(t.RightBracket);
      const bodies: Expr[] = [];
      this.OR([
        {
          GATE: () => t.takesArguments.has(op),
          ALT: () => {
            this.CONSUME(t.LeftParen);
            this.AT_LEAST_ONE_SEP1({ SEP: t.Comma, DEF: () => bodies.push(this.SUBRULE1(this.expression)) });
            this.CONSUME(t.RightParen);
          },
        },
        { ALT: () => this.deeper(() => bodies.push(this.SUBRULE(this.sum))) },
      ]);
      return { kind: "reduction", op, binders, per, guard, bodies, span: this.since(start) };
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly reference: ParserMethod<[], Expr> = this.RULE(
    "reference",
    (): Expr => {
      const start = this.here();
      const first = this.name();
      let result: Expr = { kind: "name", name: first.text, span: first.span };
      if (first.text === "") result = { kind: "error", span: first.span };
      this.OPTION({
        GATE: () => first.text === "table",
        DEF: () => {
          const { image } = this.CONSUME(t.StringToken);
          const span = this.since(start);
          const value: Expr = { kind: "string", value: stringValue(image), span };
          result = {
            kind: "call",
            callee: { kind: "name", name: "table", span: first.span },
            arguments: [{ name: null, value }],
            span,
          };
        },
      });
      this.MANY(() => {
        this.CONSUME(t.Dot);
        const member = this.OR([
          { ALT: () => this.CONSUME1(t.Name) },
          { ALT: () => this.CONSUME2(t.NumberToken) },
        ]);
        if (result.kind === "name" || result.kind === "member")
          result = {
            kind: "member",
            base: result,
            member: this.identifier(member),
            span: this.since(start),
          };
      });
      this.OPTION1(() =>
        this.OR1([
          {
            ALT: () => {
              const given = this.SUBRULE(this.callArguments);
              if (result.kind === "name" || result.kind === "member")
                result = { kind: "call", callee: result, arguments: given, span: this.since(start) };
            },
          },
          {
            ALT: () => {
              const indices: Expr[] = [];
              this.CONSUME(t.LeftBracket);
              this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => indices.push(this.SUBRULE(this.expression)) });
              this.CONSUME(t.RightBracket);
              if (result.kind === "name")
                result = { kind: "index", base: result, indices, span: this.since(start) };
              else result = { kind: "error", span: this.since(start) };
            },
          },
        ]),
      );
      return result;
    },
    { recoveryValueFunc: this.errorExpr },
  );

  readonly callArguments: ParserMethod<[], Argument[]> = this.RULE(
    "callArguments",
    (): Argument[] => {
      const given: Argument[] = [];
      this.CONSUME(t.LeftParen);
      this.MANY({
        GATE: () => this.LA(1).tokenType !== t.RightParen,
        DEF: () => {
          let name: Identifier | null = null;
          this.OPTION({
            GATE: () => this.LA(2).tokenType === t.Colon,
            DEF: () => {
              name = this.name();
              this.CONSUME(t.Colon);
            },
          });
          const start = this.here();
          let value = this.SUBRULE(this.expression);
          this.OPTION1(() => {
            this.CONSUME(t.keywords.at);
            const position = this.SUBRULE1(this.expression);
            value = { kind: "at", value, position, span: this.since(start) };
          });
          given.push({ name, value });
          this.OPTION2(() => this.CONSUME(t.Comma));
        },
      });
      this.CONSUME(t.RightParen);
      return given;
    },
    { recoveryValueFunc: (): Argument[] => [] },
  );
}
