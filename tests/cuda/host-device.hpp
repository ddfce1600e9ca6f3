// The words of CUDA that the sm_80 kernels use, on the host: threads of a block are fibers that meet at barriers.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <functional>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static
#define LCTX_HOST_STACK (256 << 10)

struct host_index { int x, y, z; };
static host_index threadIdx, blockIdx, gridDim, blockDim;
struct float2 { float x, y; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
struct alignas(16) float4 { float x, y, z, w; };

static inline float __int_as_float(int x) { float y; memcpy(&y, &x, 4); return y; }
static inline int __float_as_int(float x) { int y; memcpy(&y, &x, 4); return y; }
static inline int __float2int_rz(float x) { return (int)x; }
static inline int __float2int_rd(float x) { return (int)floorf(x); }
static inline int __float2int_ru(float x) { return (int)ceilf(x); }
#define __logf logf
static inline float __fdividef(float a, float b) { return a / b; }
template <typename T> static inline T min(T a, T b) { return b < a ? b : a; }
template <typename T> static inline T max(T a, T b) { return a < b ? b : a; }
template <typename T> static inline T __ldg(const T *x) { return *x; }
static inline unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int i = 0; i < 32; i++) y |= (x >> i & 1u) << (31 - i);
  return y;
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
template <typename T, typename X> static inline T atomicAdd(T *at, X x) {
  const T old = *at;
  *at += (T)x;
  return old;
}

template <typename T> static inline T atomicMax(T *at, T x) {
  const T old = *at;
  *at = x > old ? x : old;
  return old;
}
template <typename T> static inline T atomicMin(T *at, T x) {
  const T old = *at;
  *at = x < old ? x : old;
  return old;
}

// One fiber a thread. A fiber runs until it waits for its warp or block; the last to arrive lets all go on.
struct host_fiber { jmp_buf at; ucontext_t first; char *stack; bool started, done; int *gate; int ticket; };
static std::vector<host_fiber> fibers;
static jmp_buf host_main;
static ucontext_t host_context;
static int host_now;
static std::function<void()> host_body;
struct host_gate { int count, arrived, generation; };
static host_gate block_gate;
static std::vector<host_gate> warp_gates;

/* What went on so far, and what went wrong: threads that only wait hang. */
static unsigned host_events;
static const char *host_error;
/* Not 0: threads go on in a random order. */
static unsigned host_random;
/* What a block needs before its threads start. */
static void (*host_before_block)(int threads);
/* What happens besides the threads, each time that all were asked to go on. */
static void (*host_each_round)();
/* What is wrong when all threads are done, or null. */
static const char *(*host_after_block)();
static unsigned host_draw() { return (host_random = host_random * 1664525u + 1013904223u) >> 16; }
static void host_yield() {
  host_fiber &own = fibers[host_now];
  if (!_setjmp(own.at)) _longjmp(host_main, 1);
}
static void host_wait(host_gate &gate) {
  const int generation = gate.generation;
  if (++gate.arrived == gate.count) {
    gate.arrived = 0;
    gate.generation++;
    host_events++;
    return;
  }
  while (gate.generation == generation) host_yield();
}
static void __syncthreads() { host_wait(block_gate); }
static void __syncwarp() { host_wait(warp_gates[host_now / 32]); }

// What the lanes of a warp show one another.
struct host_slot { unsigned words[8]; const void *pointer; };
static std::vector<host_slot> slots;
static host_slot *warp_slots() { return &slots[host_now / 32 * 32]; }
static inline float __shfl_xor_sync(unsigned, float x, int lanes) {
  memcpy(slots[host_now].words, &x, 4);
  __syncwarp();
  float y;
  memcpy(&y, warp_slots()[(host_now % 32) ^ lanes].words, 4);
  __syncwarp();
  return y;
}
static inline int __shfl_xor_sync(unsigned, int x, int lanes) {
  float y;
  memcpy(&y, &x, 4);
  y = __shfl_xor_sync(0xffffffffu, y, lanes);
  memcpy(&x, &y, 4);
  return x;
}
static inline unsigned __match_any_sync(unsigned, int x) {
  slots[host_now].words[0] = (unsigned)x;
  __syncwarp();
  unsigned same = 0;
  for (int i = 0; i < 32; i++) same |= (warp_slots()[i].words[0] == (unsigned)x ? 1u : 0u) << i;
  __syncwarp();
  return same;
}
static inline int __shfl_sync(unsigned, int x, int lane) {
  memcpy(slots[host_now].words, &x, 4);
  __syncwarp();
  int y;
  memcpy(&y, warp_slots()[lane].words, 4);
  __syncwarp();
  return y;
}
static inline float __shfl_sync(unsigned, float x, int lane) {
  int y;
  memcpy(&y, &x, 4);
  y = __shfl_sync(0xffffffffu, y, lane);
  memcpy(&x, &y, 4);
  return x;
}
static inline unsigned __ballot_sync(unsigned, bool x) {
  slots[host_now].words[0] = x;
  __syncwarp();
  unsigned all = 0;
  for (int i = 0; i < 32; i++) all |= (warp_slots()[i].words[0] & 1u) << i;
  __syncwarp();
  return all;
}
static inline bool __all_sync(unsigned, bool x) {
  slots[host_now].words[0] = x;
  __syncwarp();
  bool all = true;
  for (int i = 0; i < 32; i++) all = all && warp_slots()[i].words[0];
  __syncwarp();
  return all;
}

// Sixteen-bit numbers.
static inline float bf16_real(unsigned short x) { return __int_as_float((int)((unsigned)x << 16)); }
static inline unsigned short bf16_of(float x) {
  if (x != x) return 0x7fff;
  unsigned bits = (unsigned)__float_as_int(x);
  bits += 0x7fffu + (bits >> 16 & 1);
  return (unsigned short)(bits >> 16);
}
static inline float f16_real(unsigned short x) { _Float16 y; memcpy(&y, &x, 2); return (float)y; }
static inline unsigned short f16_of(float x) { const _Float16 y = (_Float16)x; unsigned short z; memcpy(&z, &y, 2); return z; }
#define HOST_ELEMENT(name)                                                                                     \
  static inline unsigned name##_pack(float low, float high) {                                                   \
    return (unsigned)name##_of(low) | (unsigned)name##_of(high) << 16;                                          \
  }                                                                                                             \
  static inline void name##_mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {              \
    host_slot &own = slots[host_now];                                                                           \
    for (int i = 0; i < 4; i++) own.words[i] = a[i];                                                            \
    own.words[4] = b0, own.words[5] = b1;                                                                       \
    __syncwarp();                                                                                               \
    const host_slot *all = warp_slots();                                                                        \
    const int lane = host_now % 32;                                                                             \
    for (int i = 0; i < 4; i++) {                                                                               \
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;                                      \
      float sum = 0.0f;                                                                                         \
      for (int k = 0; k < 16; k++) {                                                                            \
        const unsigned x = all[row % 8 * 4 + k % 8 / 2].words[k / 8 * 2 + row / 8];                             \
        const unsigned y = all[column * 4 + k % 8 / 2].words[4 + k / 8];                                        \
        sum += name##_real((unsigned short)(k % 2 ? x >> 16 : x)) * name##_real((unsigned short)(k % 2 ? y >> 16 : y)); \
      }                                                                                                         \
      c[i] += sum;                                                                                              \
    }                                                                                                           \
    __syncwarp();                                                                                               \
  }
HOST_ELEMENT(bf16)
HOST_ELEMENT(f16)
static inline void host_matrices(unsigned (&r)[4], const unsigned short *row, bool transposed) {
  slots[host_now].pointer = row;
  __syncwarp();
  const host_slot *all = warp_slots();
  const int lane = host_now % 32;
  for (int m = 0; m < 4; m++) {
    unsigned short pair[2];
    for (int i = 0; i < 2; i++) {
      const int at = lane % 4 * 2 + i;
      pair[i] = transposed ? ((const unsigned short *)all[m * 8 + at].pointer)[lane / 4]
                           : ((const unsigned short *)all[m * 8 + lane / 4].pointer)[at];
    }
    r[m] = (unsigned)pair[0] | (unsigned)pair[1] << 16;
  }
  __syncwarp();
}

static inline int lctx_neg(int x) { return -x; }
static inline float lctx_ex2(float x) { return exp2f(x); }
static inline float lctx_tanh(float x) { return tanhf(x); }
static inline float lctx_sqrt(float x) { return sqrtf(x); }
static inline float lctx_lg2(float x) { return log2f(x); }
static inline void lctx_copy16(void *to, const void *from, bool valid) {
  if (valid) memcpy(to, from, 16);
  else memset(to, 0, 16);
}
static inline void lctx_copies_end() {}
template <int kGroupsLeft> static inline void lctx_copies_wait() {}
static inline void lctx_matrices(unsigned (&r)[4], const unsigned short *row) { host_matrices(r, row, false); }
static inline void lctx_matrices_transposed(unsigned (&r)[4], const unsigned short *row) { host_matrices(r, row, true); }

static unsigned char *host_shared;
static void host_enter() {
  host_body();
  fibers[host_now].done = true;
  host_events++;
  // A thread that has left is waited for no more.
  for (host_gate *gate : {&block_gate, &warp_gates[host_now / 32]})
    if (gate->arrived == --gate->count && gate->count > 0) gate->arrived = 0, gate->generation++;
  _longjmp(host_main, 1);
}
// Runs every block of a grid, one after another; what went wrong, or null.
static const char *host_run(int gx, int gy, int gz, int threads, int shared, const std::function<void()> &body) {
  host_error = nullptr;
  static unsigned char *memory = nullptr;
  if (!memory) memory = (unsigned char *)aligned_alloc(128, 256 << 10);
  host_shared = memory;
  host_body = body;
  gridDim = {gx, gy, gz}, blockDim = {threads, 1, 1};
  if ((int)fibers.size() < threads) {
    fibers.resize(threads);
    for (host_fiber &f : fibers) if (!f.stack) f.stack = (char *)malloc(LCTX_HOST_STACK);
    slots.resize(threads);
  }
  for (int z = 0; z < gz; z++)
    for (int y = 0; y < gy; y++)
      for (int x = 0; x < gx; x++) {
        blockIdx = {x, y, z};
        // Memory that nothing wrote must not look like zeros.
        memset(memory, 0xff, (size_t)shared);
        block_gate = {threads, 0, 0};
        warp_gates.assign((threads + 31) / 32, host_gate{32, 0, 0});
        for (int i = 0; i < threads; i++) fibers[i].started = fibers[i].done = false;
        if (host_before_block) host_before_block(threads);
        unsigned events = host_events;
        int rounds = 0;
        for (int left = threads; left > 0;) {
          rounds = events == host_events ? rounds + 1 : 0;
          events = host_events;
          if (rounds > 20000) host_error = "threads that wait for ever";
          if (host_error) return host_error;
          if (host_each_round) host_each_round();
          left = 0;
          for (volatile int i = 0; i < threads; i++) {
            host_fiber &f = fibers[i];
            if (f.done) continue;
            left++;
            if (host_random && host_draw() % 8 < 3) continue;
            host_now = i;
            threadIdx = {(int)i, 0, 0};
            if (_setjmp(host_main)) continue;
            if (f.started) _longjmp(f.at, 1);
            f.started = true;
            getcontext(&f.first);
            f.first.uc_stack.ss_sp = f.stack, f.first.uc_stack.ss_size = LCTX_HOST_STACK;
            f.first.uc_link = nullptr;
            makecontext(&f.first, host_enter, 0);
            setcontext(&f.first);
          }
        }
        if (host_after_block && !host_error) host_error = host_after_block();
      }
  return host_error;
}
struct host_pointer {
  void *at;
  template <typename T> operator T *() const { return (T *)at; }
};
