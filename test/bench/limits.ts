import { availableThreads } from '../../server/src/engine/threads.ts';

/** Threads of one process; benches that run in several processes beside each other do with one. */
export const benchThreads = Number(process.env['UNCOL_BENCH_THREADS'] ?? availableThreads().count);

/** When no further run is begun, on the clock of `performance.now()`; what was measured until then is recorded. */
export const benchEnds =
  performance.now() + 60_000 * Number(process.env['UNCOL_BENCH_MINUTES'] ?? Number.POSITIVE_INFINITY);
