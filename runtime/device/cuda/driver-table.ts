/** Signatures of the CUDA driver's functions that the device calls, under the names the library exports. */

/** What an argument is to C; `memory` is a pointer that the call reads or writes through before it returns. */
export type DriverType = "i32" | "u32" | "u64" | "handle" | "memory";

/** What each is in TypeScript. */
export interface DriverValues {
  i32: number;
  u32: number;
  u64: number | bigint;
  /** A pointer, a device address, or an opaque handle. */
  handle: bigint;
  memory: ArrayBufferView | bigint | null;
}

/** What each is to the foreign function library. */
export const nativeTypes: Readonly<Record<DriverType, string>> = {
  i32: "int32_t",
  u32: "uint32_t",
  u64: "uint64_t",
  handle: "uint64_t",
  memory: "void *",
};

/**
 * Every function gives a CUresult. Suffixes matter: the name without one is an older function with 32-bit sizes or
 * with fewer arguments.
 */
export const driverTable = {
  cuInit: ["u32"],
  cuDriverGetVersion: ["memory"],
  cuGetErrorName: ["u32", "memory"],
  cuGetErrorString: ["u32", "memory"],
  cuDeviceGetCount: ["memory"],
  cuDeviceGet: ["memory", "i32"],
  cuDeviceGetName: ["memory", "i32", "i32"],
  cuDeviceGetAttribute: ["memory", "i32", "i32"],
  cuDeviceTotalMem_v2: ["memory", "i32"],
  cuDevicePrimaryCtxRetain: ["memory", "i32"],
  cuDevicePrimaryCtxRelease_v2: ["i32"],
  cuCtxSetCurrent: ["handle"],
  cuCtxSynchronize: [],

  cuMemAlloc_v2: ["memory", "u64"],
  cuMemFree_v2: ["handle"],
  cuMemGetInfo_v2: ["memory", "memory"],
  cuMemAllocAsync: ["memory", "u64", "handle"],
  cuMemFreeAsync: ["handle", "handle"],
  cuDeviceGetDefaultMemPool: ["memory", "i32"],
  cuMemPoolSetAttribute: ["handle", "i32", "memory"],
  cuMemPoolTrimTo: ["handle", "u64"],
  cuMemAllocHost_v2: ["memory", "u64"],
  cuMemFreeHost: ["handle"],
  cuMemcpyHtoDAsync_v2: ["handle", "memory", "u64", "handle"],
  cuMemcpyDtoHAsync_v2: ["memory", "handle", "u64", "handle"],
  cuMemcpyDtoDAsync_v2: ["handle", "handle", "u64", "handle"],
  cuMemsetD8Async: ["handle", "u32", "u64", "handle"],
  cuMemsetD32Async: ["handle", "u32", "u64", "handle"],

  cuStreamCreate: ["memory", "u32"],
  cuStreamDestroy_v2: ["handle"],
  cuStreamSynchronize: ["handle"],
  cuStreamBeginCapture_v2: ["handle", "u32"],
  cuStreamEndCapture: ["handle", "memory"],
  cuEventCreate: ["memory", "u32"],
  cuEventRecord: ["handle", "handle"],
  cuEventSynchronize: ["handle"],
  cuEventElapsedTime: ["memory", "handle", "handle"],
  cuEventDestroy_v2: ["handle"],

  cuModuleLoadDataEx: ["memory", "memory", "u32", "memory", "memory"],
  cuModuleUnload: ["handle"],
  cuModuleGetFunction: ["memory", "handle", "memory"],
  cuFuncGetAttribute: ["memory", "i32", "handle"],
  cuFuncSetAttribute: ["handle", "i32", "i32"],
  cuLaunchKernelEx: ["memory", "handle", "memory", "memory"],

  cuGraphInstantiateWithFlags: ["memory", "handle", "u64"],
  cuGraphLaunch: ["handle", "handle"],
  cuGraphExecDestroy: ["handle"],
  cuGraphDestroy: ["handle"],

  // element type, rank, address, extents, strides, box, element strides, interleave, swizzle, L2 promotion, fill
  cuTensorMapEncodeTiled: [
    "memory",
    "u32",
    "u32",
    "handle",
    "memory",
    "memory",
    "memory",
    "memory",
    "u32",
    "u32",
    "u32",
    "u32",
  ],
} as const satisfies Readonly<Record<string, readonly DriverType[]>>;

export type DriverName = keyof typeof driverTable;

type ValuesOf<Types extends readonly DriverType[]> = {
  -readonly [At in keyof Types]: DriverValues[Types[At]];
};

/** Arguments of one function. */
export type DriverArguments<Name extends DriverName> = ValuesOf<(typeof driverTable)[Name]>;

/** Values of CUdevice_attribute. */
export const deviceAttribute = {
  multiprocessors: 16,
  clockKilohertz: 13,
  memoryClockKilohertz: 36,
  memoryBusBits: 37,
  cacheBytes: 38,
  capabilityMajor: 75,
  capabilityMinor: 76,
  sharedBytes: 97,
  memoryPools: 115,
} as const;

/** Values of CUfunction_attribute. */
export const functionAttribute = {
  mostThreads: 0,
  sharedBytes: 1,
  localBytes: 3,
  registers: 4,
  dynamicSharedBytes: 8,
  largeClusters: 14,
} as const;

/** Values of CUmemPool_attribute. */
export const poolAttribute = { releaseThreshold: 4 } as const;
