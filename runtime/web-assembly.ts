/** The part of WebAssembly that is used here, typed: Node's own types do not have it. */

export interface SharedWasmMemory {
  readonly buffer: SharedArrayBuffer;
  /** Pages of 64 KiB more; throws when there is no room. */
  grow(pages: number): number;
}

export interface WasmModule {
  readonly [Symbol.toStringTag]: string;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

interface Api {
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => SharedWasmMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports?: { readonly env: { readonly memory: SharedWasmMemory } },
  ) => WasmInstance;
  compile(bytes: Uint8Array<ArrayBuffer>): Promise<WasmModule>;
}

export const webAssembly = (globalThis as unknown as { WebAssembly: Api }).WebAssembly;
