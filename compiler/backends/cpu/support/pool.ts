/** pool.c: the thread pool; workers spin briefly, then sleep on a futex. The same text serves native code and wasm. */
export const pool = `#include "lctx.h"
#if defined(__wasm__)
#define LCTX_MOST_THREADS 32
#else
#define LCTX_MOST_THREADS 256
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

/* state: generation in the upper bits, an open bit, and the number of workers inside. A worker enters only while the
   job is open; the caller closes it when no item is left and waits for those inside: one that sleeps delays nobody. */
#define OPEN 0x10000
#define INSIDE 0xffff
static int64_t threads = 1;
static uint64_t state;
static uint32_t bell;
static uint32_t sleepers;
static int stopping;
static int64_t next_item, all_items;
static void (*job)(void *, int64_t, int);
static void *job_context;

int64_t lctx_threads(void) { return threads; }

static inline void pause_a_little(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

static void sleep_on(uint32_t *word, uint32_t seen) {
#if defined(__wasm__)
  __builtin_wasm_memory_atomic_wait32((int *)word, (int)seen, -1);
#elif defined(__linux__)
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
#else
  struct timespec nap = {0, 50000};
  if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == seen) nanosleep(&nap, NULL);
#endif
}

static void wake_all(uint32_t *word) {
#if defined(__wasm__)
  __builtin_wasm_memory_atomic_notify((int *)word, 0x7fffffff);
#elif defined(__linux__)
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
#else
  (void)word;
#endif
}

static void take_items(int thread) {
  for (;;) {
    int64_t item = __atomic_fetch_add(&next_item, 1, __ATOMIC_RELAXED);
    if (item >= all_items) return;
    job(job_context, item, thread);
  }
}

/* What a worker does until lctx_stop. */
void lctx_work(int thread) {
  uint64_t seen = 0;
  for (;;) {
    uint64_t now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
    for (int spins = 0; spins < 4000 && (now | INSIDE) == (seen | INSIDE); spins++) {
      pause_a_little();
      now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
    }
    if ((now | INSIDE) == (seen | INSIDE)) {
      uint32_t rung = __atomic_load_n(&bell, __ATOMIC_SEQ_CST);
      __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
      now = __atomic_load_n(&state, __ATOMIC_SEQ_CST);
      if ((now | INSIDE) == (seen | INSIDE) && !__atomic_load_n(&stopping, __ATOMIC_SEQ_CST)) sleep_on(&bell, rung);
      __atomic_fetch_sub(&sleepers, 1, __ATOMIC_SEQ_CST);
    }
    if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) return;
    now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
    if (!(now & OPEN)) {
      seen = now;
      continue;
    }
    if (!__atomic_compare_exchange_n(&state, &now, now + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
    take_items(thread);
    now = __atomic_fetch_sub(&state, 1, __ATOMIC_ACQ_REL);
    seen = now & ~(uint64_t)OPEN;
    /* Still open: no item is left, so wait for the next generation and not for this one again. */
    while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) & OPEN && (__atomic_load_n(&state, __ATOMIC_ACQUIRE) >> 17) == (now >> 17))
      pause_a_little();
  }
}

void lctx_parallel(int64_t items, void (*body)(void *ctx, int64_t item, int thread), void *ctx) {
  if (items <= 0) return;
  if (threads == 1 || items == 1) {
    for (int64_t item = 0; item < items; item++) body(ctx, item, 0);
    return;
  }
  job = body;
  job_context = ctx;
  all_items = items;
  __atomic_store_n(&next_item, 0, __ATOMIC_RELAXED);
  uint64_t generation = (__atomic_load_n(&state, __ATOMIC_RELAXED) >> 17) + 1;
  __atomic_store_n(&state, generation << 17 | OPEN, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&bell, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&sleepers, __ATOMIC_SEQ_CST)) wake_all(&bell);
  take_items(0);
  __atomic_fetch_and(&state, ~(uint64_t)OPEN, __ATOMIC_ACQ_REL);
  while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) & INSIDE) pause_a_little();
}

#if defined(__wasm__)
/* Workers are started by the host, each with lctx_work(thread). */
int64_t lctx_start(int64_t wanted) {
  threads = wanted < 1 ? 1 : wanted > LCTX_MOST_THREADS ? LCTX_MOST_THREADS : wanted;
  return threads;
}
void lctx_stop(void) {
  __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&bell, 1, __ATOMIC_SEQ_CST);
  wake_all(&bell);
  threads = 1;
}
#else
static pthread_t workers[LCTX_MOST_THREADS];

static void *worker(void *thread) {
  lctx_work((int)(intptr_t)thread);
  return NULL;
}

/* Starts wanted - 1 workers; returns how many threads there are then. */
int64_t lctx_start(int64_t wanted) {
  int64_t most = wanted < 1 ? 1 : wanted > LCTX_MOST_THREADS ? LCTX_MOST_THREADS : wanted;
  int64_t started = 1;
  stopping = 0;
  for (; started < most; started++)
    if (pthread_create(&workers[started], NULL, worker, (void *)(intptr_t)started)) break;
  threads = started;
  return threads;
}

void lctx_stop(void) {
  __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&bell, 1, __ATOMIC_SEQ_CST);
  wake_all(&bell);
  for (int64_t n = 1; n < threads; n++) pthread_join(workers[n], NULL);
  threads = 1;
}
#endif
`;
