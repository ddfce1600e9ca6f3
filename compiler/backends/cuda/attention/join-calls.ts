/** Several CUDA calls as one: their launches in order, over buffers of the whole. */
import type { CudaArgument, CudaCall, CudaScratch } from "../../../../runtime/device/cuda/launch.ts";

export interface CallPart {
  readonly call: CudaCall;
  /** For each buffer of the part: a buffer of the whole, or scratch of the whole as `buffers` + its number. */
  readonly buffers: readonly number[];
}

/** A call over `buffers` buffers and the given scratch; the scratch of the parts follows. */
export function joinCalls(
  buffers: number,
  scratch: readonly CudaScratch[],
  parts: readonly CallPart[],
): CudaCall {
  const all: CudaCall = { sources: [], buffers, scratch: [], launches: [] };
  const [sources, launches, ownScratch] = [[...all.sources], [...all.launches], [...scratch]];
  for (const { call, buffers: given } of parts) {
    if (given.length !== call.buffers)
      throw new Error(`a part has ${call.buffers} buffers, not ${given.length}`);
    const [firstSource, firstScratch] = [sources.length, buffers + ownScratch.length];
    const place = (buffer: number): number =>
      buffer < call.buffers ? given[buffer]! : firstScratch + buffer - call.buffers;
    sources.push(...call.sources);
    ownScratch.push(...call.scratch);
    for (const launch of call.launches)
      launches.push({
        ...launch,
        source: firstSource + launch.source,
        arguments: launch.arguments.map((own): CudaArgument =>
          "buffer" in own ? { ...own, buffer: place(own.buffer) } : own,
        ),
      });
  }
  return { sources, buffers, scratch: ownScratch, launches };
}
