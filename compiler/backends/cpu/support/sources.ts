/** C sources that every program is compiled with, by file name. */
import { gemm } from "./gemm.ts";
import { header } from "./header.ts";
import { pool } from "./pool.ts";
import { run } from "./run.ts";

export const supportSources: Readonly<Record<string, string>> = {
  "lctx.h": header,
  "pool.c": pool,
  "gemm.c": gemm,
  "run.c": run,
};
