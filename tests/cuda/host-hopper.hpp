// The words of CUDA that the Hopper kernels use besides those of host-device.hpp: barriers in shared memory, bulk copies,
// products of warpgroups. A product runs as late as its wait allows, or at once (host_eager), copies come late and in a random
// order, and so do threads: memory that is freed too early, or read before it is full, gives wrong numbers.
#pragma once
#include <stdio.h>
#include <map>

#define __align__(n)
#define __grid_constant__
#undef __launch_bounds__
#define __launch_bounds__(...)
struct int4 { int x, y, z, w; };
struct uint4 { unsigned x, y, z, w; };
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline float __uint_as_float(unsigned x) { return __int_as_float((int)x); }
static inline int atomicAdd(int *at, int x) { const int old = *at; *at += x; return old; }
static inline unsigned __shfl_xor_sync(unsigned mask, unsigned x, int lanes) {
  return (unsigned)__shfl_xor_sync(mask, (int)x, lanes);
}
static inline int __reduce_add_sync(unsigned, int x) {
  slots[host_now].words[0] = (unsigned)x;
  __syncwarp();
  int sum = 0;
  for (int i = 0; i < 32; i++) sum += (int)warp_slots()[i].words[0];
  __syncwarp();
  return sum;
}
static inline int __shfl_sync(unsigned mask, unsigned x, int lane) { return __shfl_sync(mask, (int)x, lane); }
static inline unsigned long long __cvta_generic_to_shared(const void *at) { return (unsigned char *)at - host_shared; }
static inline void *__cvta_generic_to_global(const void *at) { return (void *)at; }
static inline void host_fail(const char *what) {
  if (!host_error) host_error = what;
  for (;;) host_yield();
}
#define __trap() host_fail("a trap")

// Barriers in shared memory, by address; a phase ends with its last arrival once all bytes are there.
struct host_barrier { int count, left, bytes, phase; };
static std::map<unsigned, host_barrier> host_barriers;
static void host_turn(host_barrier &bar) {
  if (bar.left > 0 || bar.bytes != 0) return;
  bar.left = bar.count, bar.phase++, host_events++;
}
static inline host_barrier &host_barrier_at(unsigned at) {
  if (!host_barriers.count(at)) host_fail("a barrier that is not set up");
  return host_barriers[at];
}
static inline void lctx_barrier_init(unsigned at, int count) { host_barriers[at] = {count, count, 0, 0}; }
static inline void lctx_barriers_ready() {}
static inline void lctx_arrive(unsigned at) {
  host_barrier &bar = host_barrier_at(at);
  if (--bar.left < 0) host_fail("more arrivals than a barrier counts");
  host_turn(bar);
}
static inline void lctx_expect(unsigned at, unsigned bytes) {
  host_barrier_at(at).bytes += (int)bytes;
  lctx_arrive(at);
}
static inline void host_complete(unsigned at, int bytes) {
  host_barrier &bar = host_barrier_at(at);
  bar.bytes -= bytes;
  host_turn(bar);
}
static inline void lctx_wait(unsigned at, unsigned phase) {
  while ((host_barrier_at(at).phase & 1) == (int)phase) host_yield();
}
static inline void lctx_fence_shared() {}

// Named barriers.
static host_gate host_named[16];
static inline void lctx_announce(int id, int threads) {
  host_gate &gate = host_named[id];
  if (++gate.arrived == threads) gate.arrived = 0, gate.generation++, host_events++;
}
static inline void lctx_meet(int id, int threads) {
  const int generation = host_named[id].generation;
  lctx_announce(id, threads);
  while (host_named[id].generation == generation) host_yield();
}

// Bulk copies. Those to shared memory come in a random order while the threads go on, now and then very late.
struct host_copy { unsigned due; std::function<void()> run; };
static std::vector<host_copy> host_copies;
static unsigned host_round;
static void host_later(const std::function<void()> &run) {
  const unsigned most = !host_random ? 1 : host_draw() % 4 ? 16 : 2000;
  host_copies.push_back({host_round + (most > 1 ? host_draw() % most : 0), run});
}
static void host_bring_copies() {
  host_round++;
  for (size_t n = 0; n < host_copies.size();) {
    if ((int)(host_round - host_copies[n].due) < 0) {
      n++;
      continue;
    }
    const std::function<void()> run = host_copies[n].run;
    host_copies.erase(host_copies.begin() + n);
    host_events++;
    run();
  }
}
static inline unsigned host_swizzled(unsigned at) { return at ^ ((at >> 7 & 7) << 4); }
struct host_words { unsigned long long words[12]; };
static void host_copy_tile(unsigned to, const host_words &map, unsigned barrier, int x, int y, int z, int w) {
  const unsigned long long *own = map.words;
  for (int row = 0; row < (int)own[10]; row++)
    for (int column = 0; column < 64; column++) {
      const bool in = x + column < (int)own[1] && y < (int)own[2] && z + row < (int)own[3] && w < (int)own[4];
      const char *from = (const char *)own[0] + (size_t)(x + column) * 2 + y * own[5] + (z + row) * own[6] + w * own[7];
      unsigned short element = 0;
      if (in) memcpy(&element, from, 2);
      memcpy(host_shared + host_swizzled(to + row * 128 + column * 2), &element, 2);
    }
  host_complete(barrier, (int)own[10] * 128);
}
template <typename Map>
static inline void lctx_load_tile(unsigned to, const Map *map, unsigned barrier, int x, int y, int z, int w,
                                  unsigned long long) {
  host_words own;
  memcpy(&own, map->words, sizeof own);
  if (own.words[8] != 64 || own.words[9] != 1 || own.words[11] != 1) host_fail("a box of another form");
  host_later([=] { host_copy_tile(to, own, barrier, x, y, z, w); });
}
template <typename Map> static inline void lctx_prefetch_map(const Map *) {}
static inline void lctx_load_row(unsigned to, const void *from, unsigned bytes, unsigned barrier) {
  host_later([=] {
    memcpy(host_shared + to, from, bytes);
    host_complete(barrier, (int)bytes);
  });
}
struct host_bulk { float *to; unsigned from, bytes; bool add; };
static std::vector<std::vector<host_bulk>> host_bulks;
static inline void lctx_add_bulk(float *to, unsigned from, unsigned bytes) {
  host_bulks[host_now].push_back({to, from, bytes, true});
}
static inline void lctx_store_bulk(float *to, unsigned from, unsigned bytes) {
  host_bulks[host_now].push_back({to, from, bytes, false});
}
static inline void lctx_bulk_commit() {}
static inline void lctx_bulk_wait_read() {
  host_yield();
  for (const host_bulk &own : host_bulks[host_now])
    for (unsigned i = 0; i < own.bytes / 4; i++) {
      const float x = ((const float *)(host_shared + own.from))[i];
      own.to[i] = own.add ? own.to[i] + x : x;
    }
  host_bulks[host_now].clear();
}
static inline void lctx_bulk_wait() { lctx_bulk_wait_read(); }
static inline void host_store_matrices(unsigned to, unsigned a, unsigned b, unsigned c, unsigned d) {
  host_slot &own = slots[host_now];
  own.words[0] = a, own.words[1] = b, own.words[2] = c, own.words[3] = d, own.words[4] = to;
  __syncwarp();
  const int lane = host_now % 32;
  // Lane 4 r + c holds columns 2 c and 2 c + 1 of row r of each matrix; lane 8 m + r said where row r of matrix m goes.
  for (int m = 0; m < 4; m++)
    memcpy(host_shared + warp_slots()[8 * m + lane / 4].words[4] + lane % 4 * 4, &own.words[m], 4);
  __syncwarp();
}
static inline int host_read_turns(const int *at) {
  host_yield();
  return *at;
}

// Products of a warpgroup: each thread works out its own numbers.
struct host_product {
  void (*run)(const host_product &);
  float *d;
  unsigned long long a, b;
  unsigned rows[2][8];
  int keep;
};
struct host_products { std::vector<std::vector<host_product>> groups; };
static std::vector<host_products> host_pending;
static bool host_eager;
static inline float host_element(unsigned at, bool half) {
  unsigned short x;
  memcpy(&x, host_shared + host_swizzled(at), 2);
  return half ? f16_real(x) : bf16_real(x);
}
/* Place of element (n, k) of a tile that a descriptor says: along rows of 128 bytes, or across them. */
static inline unsigned host_place(unsigned long long tile, bool across, int n, int k) {
  const unsigned start = (unsigned)(tile & 0x3FFF) << 4, chunk = (unsigned)(tile >> 16 & 0x3FFF) << 4;
  const unsigned eight = (unsigned)(tile >> 32 & 0x3FFF) << 4;
  return across ? start + n / 64 * chunk + k / 8 * eight + k % 8 * 128 + n % 64 * 2
                : start + n / 8 * eight + n % 8 * 128 + k * 2;
}
/* left: 0 a tile along its rows, 1 one across them, 2 registers. */
template <int kColumns, int kLeft, bool kAcross, bool kHalf> static void host_multiply(const host_product &of) {
  const int thread = host_now & 127, row = thread / 32 * 16 + thread % 32 / 4, quad = thread & 3;
  float a[2][16], b[16];
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 16; k++) {
      if (kLeft < 2) a[i][k] = host_element(host_place(of.a, kLeft == 1, row + 8 * i, k), kHalf);
      else {
        const unsigned word = of.rows[i][k / 2];
        const unsigned short x = (unsigned short)(k % 2 ? word >> 16 : word);
        a[i][k] = kHalf ? f16_real(x) : bf16_real(x);
      }
    }
  for (int j = 0; j < kColumns / 8; j++)
    for (int c = 0; c < 2; c++) {
      for (int k = 0; k < 16; k++) b[k] = host_element(host_place(of.b, kAcross, 8 * j + 2 * quad + c, k), kHalf);
      for (int i = 0; i < 2; i++) {
        float &to = of.d[4 * j + 2 * i + c], sum = of.keep ? to : 0.0f;
        for (int k = 0; k < 16; k++) sum += a[i][k] * b[k];
        to = sum;
      }
    }
}
static inline void host_issue(const host_product &of) {
  host_products &own = host_pending[host_now];
  if (host_eager) return of.run(of);
  if (own.groups.empty()) own.groups.emplace_back();
  own.groups.back().push_back(of);
}
template <int kColumns, int kLeft, bool kAcross, bool kHalf>
static inline void host_product_of(float *d, unsigned long long a, unsigned long long b, int keep) {
  host_issue({host_multiply<kColumns, kLeft, kAcross, kHalf>, d, a, b, {}, keep});
}
template <int kColumns, int kLeft, bool kAcross, bool kHalf>
static inline void host_product_of(float *d, unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned long long b,
                                   int keep) {
  host_slot &own = slots[host_now];
  own.words[0] = a0, own.words[1] = a1, own.words[2] = a2, own.words[3] = a3;
  __syncwarp();
  host_product of = {host_multiply<kColumns, kLeft, kAcross, kHalf>, d, 0, b, {}, keep};
  const host_slot *all = warp_slots() + (host_now % 32 & ~3);
  // Words 0 and 1: rows r and r + 8 of columns 0 … 7, two a lane of the four; words 2 and 3: columns 8 … 15.
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 8; k++) of.rows[i][k] = all[k % 4].words[k / 4 * 2 + i];
  __syncwarp();
  host_issue(of);
}
static inline void lctx_mma_begin() {}
static inline void lctx_mma_commit() {
  host_products &own = host_pending[host_now];
  if (own.groups.empty()) own.groups.emplace_back();
  own.groups.emplace_back();
}
static inline void host_products_wait(int pending) {
  host_yield();
  std::vector<std::vector<host_product>> &groups = host_pending[host_now].groups;
  // The last list is open: nothing is in it yet.
  while ((int)groups.size() - 1 > pending) {
    for (const host_product &of : groups.front()) of.run(of);
    groups.erase(groups.begin());
  }
}

static inline float lctx_log2(float x) { return log2f(x); }
struct host_map {
  void *at;
  const int *sizes;
  template <typename Map> operator Map() const {
    Map map = {};
    map.words[0] = (unsigned long long)at;
    for (int i = 0; i < 11; i++) map.words[1 + i] = (unsigned long long)(unsigned)sizes[i];
    return map;
  }
};
static void host_start_block(int threads) {
  host_barriers.clear();
  for (host_gate &gate : host_named) gate = {0, 0, 0};
  host_pending.assign(threads, {});
  host_bulks.assign(threads, {});
  host_copies.clear();
  host_each_round = host_bring_copies;
  host_after_block = [] { return host_copies.empty() ? nullptr : "copies that come after the end"; };
}
