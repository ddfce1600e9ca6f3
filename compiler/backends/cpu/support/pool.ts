/** pool.c: the thread pool; threads spin briefly, then sleep. The same text serves native code and WebAssembly. */
export const pool = `#define _GNU_SOURCE
#include "lctx.h"
#if defined(__wasm__)
#define LCTX_MOST_THREADS 32
#define LCTX_SPINS 4000
#else
#define LCTX_MOST_THREADS 256
#define LCTX_SPINS 1000
#define LCTX_SPIN_NANOSECONDS 200000
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#endif
#endif

/* A job's number in the upper bits, an open bit, and the number of workers inside. A worker enters only while the job
   is open; the caller closes it when no item is left and waits for those inside: a worker that sleeps delays nobody. */
static uint64_t state;
#define NUMBER 17
#define OPEN 0x10000
#define INSIDE 0xffff
/* Rung for each job, and by the last worker that leaves a closed job: what sleepers look at before they sleep. */
static uint32_t job_bell, leave_bell;
static uint32_t sleepers, caller_sleeps;
/* Looks at the state before a thread sleeps. */
static int most_spins = LCTX_SPINS;
static int stopping, failures;
static int64_t threads = 1;
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

/* sleep_on returns when the bell no longer reads 'seen', or for no reason. */
#if defined(__wasm__)
static void sleep_on(uint32_t *bell, uint32_t seen) { __builtin_wasm_memory_atomic_wait32((int *)bell, (int)seen, -1); }
static void ring(uint32_t *bell) {
  __atomic_fetch_add(bell, 1, __ATOMIC_SEQ_CST);
  __builtin_wasm_memory_atomic_notify((int *)bell, 0x7fffffff);
}
#elif defined(__linux__) && !defined(LCTX_NO_FUTEX)
static void sleep_on(uint32_t *bell, uint32_t seen) { syscall(SYS_futex, bell, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0); }
static void ring(uint32_t *bell) {
  __atomic_fetch_add(bell, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, bell, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}
#else
static pthread_mutex_t bell_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell_rung = PTHREAD_COND_INITIALIZER;
static void sleep_on(uint32_t *bell, uint32_t seen) {
  pthread_mutex_lock(&bell_lock);
  while (__atomic_load_n(bell, __ATOMIC_SEQ_CST) == seen) pthread_cond_wait(&bell_rung, &bell_lock);
  pthread_mutex_unlock(&bell_lock);
}
static void ring(uint32_t *bell) {
  pthread_mutex_lock(&bell_lock);
  __atomic_fetch_add(bell, 1, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast(&bell_rung);
  pthread_mutex_unlock(&bell_lock);
}
#endif

static void take_items(int thread) {
  for (;;) {
    int64_t item = __atomic_fetch_add(&next_item, 1, __ATOMIC_RELAXED);
    if (item >= all_items) return;
    job(job_context, item, thread);
  }
}

static void leave_job(void) {
  uint64_t now = __atomic_sub_fetch(&state, 1, __ATOMIC_SEQ_CST);
  if (!(now & (OPEN | INSIDE)) && __atomic_load_n(&caller_sleeps, __ATOMIC_SEQ_CST)) ring(&leave_bell);
}

static inline int is_new(uint64_t now, uint64_t done) { return (now & OPEN) && now >> NUMBER != done; }

/* What a worker does until lctx_stop. */
void lctx_work(int thread) {
  uint64_t done = 0;
  for (;;) {
    uint64_t now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
    for (int spins = 0; spins < most_spins && !is_new(now, done); spins++) {
      pause_a_little();
      now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
    }
    if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) return;
    if (!is_new(now, done)) {
      uint32_t seen = __atomic_load_n(&job_bell, __ATOMIC_SEQ_CST);
      __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
      now = __atomic_load_n(&state, __ATOMIC_SEQ_CST);
      if (!is_new(now, done) && !__atomic_load_n(&stopping, __ATOMIC_SEQ_CST)) sleep_on(&job_bell, seen);
      __atomic_fetch_sub(&sleepers, 1, __ATOMIC_SEQ_CST);
      continue;
    }
    if (!__atomic_compare_exchange_n(&state, &now, now + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
    take_items(thread);
    done = now >> NUMBER;
    leave_job();
  }
}

/* Told by a worker that was stopped inside an item: the caller must not wait for it. */
void lctx_fail(void) {
  __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
  leave_job();
}

int64_t lctx_failures(void) { return __atomic_load_n(&failures, __ATOMIC_SEQ_CST); }

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
  uint64_t number = (__atomic_load_n(&state, __ATOMIC_RELAXED) >> NUMBER) + 1;
  __atomic_store_n(&state, number << NUMBER | OPEN, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&sleepers, __ATOMIC_SEQ_CST)) ring(&job_bell);
  take_items(0);
  __atomic_fetch_and(&state, ~(uint64_t)OPEN, __ATOMIC_SEQ_CST);
  /* One that was pushed off its core can be long: this core is then better used for it than for spinning. */
  for (int spins = 0; __atomic_load_n(&state, __ATOMIC_ACQUIRE) & INSIDE;) {
    if (spins++ < most_spins) {
      pause_a_little();
      continue;
    }
    uint32_t seen = __atomic_load_n(&leave_bell, __ATOMIC_SEQ_CST);
    __atomic_store_n(&caller_sleeps, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&state, __ATOMIC_SEQ_CST) & INSIDE) sleep_on(&leave_bell, seen);
    __atomic_store_n(&caller_sleeps, 0, __ATOMIC_SEQ_CST);
  }
}

static void stop_workers(void) {
  __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
  ring(&job_bell);
}

#if defined(__wasm__)
/* Workers are started by the host, each with lctx_work(thread). */
int64_t lctx_start(int64_t wanted) {
  threads = wanted < 1 ? 1 : wanted > LCTX_MOST_THREADS ? LCTX_MOST_THREADS : wanted;
  return threads;
}
void lctx_stop(void) {
  stop_workers();
  threads = 1;
}
#else
static pthread_t workers[LCTX_MOST_THREADS];
static int owned;

/* A sleeping core of a virtual machine can take longer to wake than a whole kernel runs, and how long a pause takes differs
   by ten between processors: so threads that have a core each spin for a time, not for a count. Others leave soon. */
static void choose_spins(int64_t wanted) {
  int64_t cores = sysconf(_SC_NPROCESSORS_ONLN), least = INT64_MAX;
#if defined(__linux__)
  cpu_set_t allowed;
  if (!sched_getaffinity(0, sizeof allowed, &allowed)) cores = CPU_COUNT(&allowed);
#endif
  most_spins = LCTX_SPINS;
  if (wanted > cores) return;
  for (int round = 0; round < 5; round++) {
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int n = 0; n < 500; n++) pause_a_little();
    clock_gettime(CLOCK_MONOTONIC, &to);
    const int64_t took = (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec;
    if (took > 0 && took < least) least = took;
  }
  const int64_t spins = (int64_t)LCTX_SPIN_NANOSECONDS * 500 / least;
  if (spins > most_spins) most_spins = spins < 1000000 ? (int)spins : 1000000;
}

static void *worker(void *thread) {
  lctx_work((int)(intptr_t)thread);
  return NULL;
}

/* Starts wanted - 1 workers; returns how many threads there are then, or 0 when the pool serves someone else. */
int64_t lctx_start(int64_t wanted) {
  if (__atomic_exchange_n(&owned, 1, __ATOMIC_SEQ_CST)) return 0;
  int64_t most = wanted < 1 ? 1 : wanted > LCTX_MOST_THREADS ? LCTX_MOST_THREADS : wanted;
  int64_t started = 1;
  stopping = 0;
  choose_spins(most);
  for (; started < most; started++)
    if (pthread_create(&workers[started], NULL, worker, (void *)(intptr_t)started)) break;
  threads = started;
  return threads;
}

void lctx_stop(void) {
  stop_workers();
  for (int64_t n = 1; n < threads; n++) pthread_join(workers[n], NULL);
  threads = 1;
  __atomic_store_n(&owned, 0, __ATOMIC_SEQ_CST);
}
#endif
`;
