/** run.c: a whole table of launches in one call. */
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
`;
