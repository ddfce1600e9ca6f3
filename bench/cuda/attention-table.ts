/** The table of an attention bench: own times, ratios to peers, and ratios to own cases that the goals name. */

export interface Measured {
  readonly peer: string;
  readonly name: string;
  readonly batch: number;
  readonly heads: number;
  readonly groups: number;
  readonly length: number;
  readonly d: number;
  readonly kept?: number;
  /** Share of all pairs that visible blocks hold. */
  readonly visible?: number;
  readonly paths?: readonly string[];
  readonly fwd_ms: number;
  readonly bwd_ms: number;
  readonly fwd_tflops?: number;
  readonly bwd_tflops?: number;
  readonly prepare_ms?: number;
}

const keyOf = ({ name, batch, heads, groups, length, d, kept }: Measured): string =>
  [name, batch, heads, groups, length, d, kept ?? ""].join(" ");

/** Time of `over` in units of that of `own`: above 1, own is faster. */
const ratio = (over: Measured | undefined, own: Measured, key: "fwd_ms" | "bwd_ms"): string =>
  (over === undefined ? "-" : (over[key] / own[key]).toFixed(2)).padStart(7);

/** Lines of text: cases with their peers, then what is asked of own cases alone. */
export function tableOf(own: readonly Measured[], peers: readonly Measured[]): readonly string[] {
  const lines = [
    `${"case".padEnd(50)}${"forward".padStart(10)}${"/Flex".padStart(7)}${"/cuDNN".padStart(7)}${"backward".padStart(11)}${"/Flex".padStart(7)}${"/cuDNN".padStart(7)}`,
  ];
  for (const one of own) {
    const of = (peer: string): Measured | undefined =>
      peers.find((each) => each.peer === peer && keyOf(each) === keyOf(one));
    const [flex, cudnn] = [of("flex"), of("cudnn")];
    const kept = one.kept === undefined ? "" : ` kept ${one.kept.toFixed(3)}`;
    lines.push(
      `${one.name} D${one.d} B${one.batch} H${one.heads}/${one.groups} N${one.length}${kept}`.padEnd(50) +
        `${one.fwd_ms.toFixed(3).padStart(7)} ms${ratio(flex, one, "fwd_ms")}${ratio(cudnn, one, "fwd_ms")}` +
        `${one.bwd_ms.toFixed(3).padStart(8)} ms${ratio(flex, one, "bwd_ms")}${ratio(cudnn, one, "bwd_ms")}`,
    );
  }
  return [...lines, "", ...ownRatios(own)];
}

function ownRatios(own: readonly Measured[]): readonly string[] {
  const find = (name: string, length: number, groups: number, d = 128): Measured | undefined =>
    own.find(
      (one) =>
        one.name === name &&
        one.length === length &&
        one.groups === groups &&
        one.d === d &&
        one.kept === undefined,
    );
  const lines: string[] = [];
  const dense = find("causal", 8192, 16);
  for (const [what, one] of [
    ["4 query heads a key head", find("causal", 8192, 4)],
    ["distance penalty", find("slopes", 8192, 16)],
    ["soft cap", find("capped", 8192, 16)],
  ] as const)
    if (dense !== undefined && one !== undefined)
      lines.push(
        `${what}: ${(dense.fwd_ms / one.fwd_ms).toFixed(3)} of own causal's speed forward, ${(dense.bwd_ms / one.bwd_ms).toFixed(3)} backward`,
      );
  for (const one of own.filter(({ name }) => name.startsWith("regions"))) {
    const plain = own.find((other) => keyOf(other) === keyOf({ ...one, name: "causal" }));
    if (plain !== undefined)
      lines.push(
        `${one.name} D${one.d} B${one.batch} N${one.length}: ${(plain.fwd_ms / one.fwd_ms).toFixed(3)} of own causal's speed forward, ${(plain.bwd_ms / one.bwd_ms).toFixed(3)} backward`,
      );
  }
  for (const length of [2048, 8192, 32768]) {
    const [plain, one] = [find("causal", length, 16), find("landmark:64", length, 16)];
    if (plain === undefined || one === undefined) continue;
    lines.push(
      `two levels of softmax, ${length} tokens: ${(plain.fwd_ms / one.fwd_ms).toFixed(3)} of own causal's speed forward, ${(plain.bwd_ms / one.bwd_ms).toFixed(3)} backward (${one.paths?.join("/") ?? ""})`,
    );
  }
  const long = find("causal", 32768, 16);
  for (const one of own)
    if (one.kept !== undefined && long?.visible !== undefined && one.visible !== undefined) {
      const density = one.visible / long.visible;
      const [forward, backward] = [long.fwd_ms / one.fwd_ms, long.bwd_ms / one.bwd_ms];
      lines.push(
        `table of blocks, density ${density.toFixed(4)} of causal: ${forward.toFixed(2)} times as fast forward, ${backward.toFixed(2)} backward; ` +
          `${(forward * density).toFixed(2)} and ${(backward * density).toFixed(2)} of 1 / density`,
      );
    }
  for (const name of ["window:1024", "sinks:4096"]) {
    const [near, far] = [find(name, 32768, 4, 64), find(name, 1_048_576, 4, 64)];
    if (near === undefined || far === undefined) continue;
    const each = (key: "fwd_ms" | "bwd_ms"): string => (far[key] / near[key] / 32).toFixed(3);
    lines.push(
      `${name}: a token of 1,048,576 costs ${each("fwd_ms")} of one of 32,768 forward, ${each("bwd_ms")} backward`,
    );
  }
  return lines;
}
