/** Kernels of the self-test: each uses one thing that generated kernels rely on. */

export const addText = `extern "C" __global__ void add(
    const float *a, const float *b, float *c, float scale, long long n) {
  const long long i = blockIdx.x * 256ll + threadIdx.x;
  if (i < n) c[i] = a[i] + scale * b[i];
}
`;

/** Reads the next block's shared memory through the cluster; `counts` must be zero at the start. */
export const clusterText = `extern "C" __global__ void clusters(int *out, int *counts, int size) {
  extern __shared__ int shared[];
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  if (threadIdx.x == 0) shared[0] = 0;
  __syncthreads();
  atomicAdd(shared, (int)blockIdx.x);
  __syncthreads();
  asm volatile("barrier.cluster.arrive.aligned;\\nbarrier.cluster.wait.aligned;" ::: "memory");
  if (threadIdx.x == 0) {
    unsigned local = (unsigned)__cvta_generic_to_shared(shared), remote;
    int value;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(local), "r"((rank + 1) % size));
    asm volatile("ld.shared::cluster.s32 %0, [%1];" : "=r"(value) : "r"(remote) : "memory");
    out[blockIdx.x] = value + atomicAdd(counts + blockIdx.x, 1) + 1;
  }
  asm volatile("barrier.cluster.arrive.aligned;\\nbarrier.cluster.wait.aligned;" ::: "memory");
}
`;

/** Loads one box through a tensor map and writes it out as it lies in shared memory. */
export const swizzleText = `struct __align__(64) TensorMap { unsigned long long words[16]; };
extern "C" __global__ void swizzled(
    const __grid_constant__ TensorMap map, unsigned short *out, int x, int y) {
  extern __shared__ unsigned char raw[];
  unsigned start = (unsigned)__cvta_generic_to_shared(raw);
  const unsigned tile = (start + 1023u) & ~1023u;
  const unsigned barrier = tile + 8192u;
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" :: "r"(barrier) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], 8192;" :: "r"(barrier) : "memory");
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
        :: "r"(tile), "l"(&map), "r"(x), "r"(y), "r"(barrier) : "memory");
  }
  __syncthreads();
  unsigned done = 0;
  while (!done)
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], 0; selp.u32 %0, 1, 0, p; }"
                 : "=r"(done) : "r"(barrier) : "memory");
  for (int i = threadIdx.x; i < 4096; i += blockDim.x) {
    unsigned short value;
    asm volatile("ld.shared.u16 %0, [%1];" : "=h"(value) : "r"(tile + 2u * i) : "memory");
    out[i] = value;
  }
}
`;

export const faultText = `extern "C" __global__ void fault(long long address) { *(volatile int *)address = 1; }
`;

/** A text of some size, different for each number: what a compilation costs. */
export const growText = (n: number): string => `extern "C" __global__ void grow(float *data) {
  float sum = ${n}.0f;
#pragma unroll
  for (int i = 0; i < 512; i++) sum = sum * data[i] + exp2f(data[threadIdx.x + i * 3] - sum);
  data[threadIdx.x] = sum;
}
`;
