/** run.c: memory of the device, and a whole table of launches in one call. */
export const run = `#include "lctx.h"
typedef void (*entry)(void *const *buffers, const int64_t *sizes, const float *scalars);
typedef struct {
  entry function;
  void *const *buffers;
  const int64_t *sizes;
  const float *scalars;
} launch;

void lctx_run(const launch *table, int64_t count) {
  for (int64_t n = 0; n < count; n++) table[n].function(table[n].buffers, table[n].sizes, table[n].scalars);
}

#if !defined(__wasm__)
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Zero-filled and aligned to 64 bytes; large blocks ask for huge pages. NULL when there is no memory. */
void *lctx_allocate(int64_t bytes) {
  void *memory = NULL;
  int64_t align = bytes >= 4 << 20 ? 2 << 20 : 64;
  if (posix_memalign(&memory, (size_t)align, (size_t)(bytes > 0 ? (bytes + align - 1) / align * align : align))) return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (align > 64) madvise(memory, (size_t)((bytes + align - 1) / align * align), MADV_HUGEPAGE);
#endif
  memset(memory, 0, (size_t)bytes);
  return memory;
}

void lctx_free(void *memory) { free(memory); }
#endif
`;
