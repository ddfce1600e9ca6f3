/** A program as a module of functions, before it is printed: texts of typed fragments, with what they name. */

export interface ModuleConstant {
  readonly name: string;
  /** Its type in the runtime's library. */
  readonly type: string;
  readonly value: string;
}

export interface ModuleFunction {
  readonly name: string;
  readonly purpose: string;
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
  readonly returnType: string;
  readonly statements: readonly string[];
}

/** A module before it is printed: as TypeScript for people, or as a script for the runtime. */
export interface ScriptModule {
  /** Functions and types of the runtime's library that the text names. */
  readonly functions: readonly string[];
  readonly types: readonly string[];
  readonly constants: readonly ModuleConstant[];
  readonly phases: readonly ModuleFunction[];
}
