import { z } from 'zod';
import type { ErrorCode } from '../errors/table.ts';
import type { JobKind } from '../store/job-progress.ts';

/** How a kind of job is queued (the queue library's own words), worked and tried again. */
export interface KindRow<Payload extends z.ZodType = z.ZodType> {
  /** What a job of this kind carries: identifiers only, because payloads lie in the database. */
  readonly payload: Payload;
  readonly queue: {
    /** `standard`: no limit. `stately`, `exclusive`: at most one job a key in each state, or in all open states. */
    readonly policy: 'standard' | 'stately' | 'exclusive';
    readonly retryLimit: number;
    readonly retryDelay: number;
    readonly retryDelayMax?: number;
    readonly expireInSeconds: number;
    /** A worker silent for this long counts as dead and its job is given to another. */
    readonly heartbeatSeconds: number;
  };
  /** Jobs of the kind at once in one server. */
  readonly concurrency: number;
  /** Faults that may pass by themselves; every other one ends the job at once, because it would come again. */
  readonly retryOn: ReadonlySet<ErrorCode>;
}

const row = <Payload extends z.ZodType>(values: KindRow<Payload>) => values;

/** The closed set of long work. */
export const jobKinds = {
  /** Segment a series; interactive, so it fails soon and clearly. */
  infer: row({
    payload: z.strictObject({
      inferenceId: z.uuid(),
      studyInstanceUid: z.string(),
      seriesInstanceUid: z.string(),
      volume: z.string().default(''),
      model: z.strictObject({ name: z.string(), version: z.int() }),
    }),
    queue: { policy: 'standard', retryLimit: 2, retryDelay: 1, expireInSeconds: 600, heartbeatSeconds: 15 },
    concurrency: 1,
    retryOn: new Set(['child-lost', 'database-unavailable']),
  }),
  /** A fine-tuning round; key = model name: one runs, and at most one more waits. */
  train: row({
    payload: z.strictObject({ roundId: z.uuid() }),
    queue: {
      policy: 'stately',
      // Each stop and crash of the server spends one, and none of them is a fault of the round.
      retryLimit: 100,
      retryDelay: 5,
      retryDelayMax: 900,
      expireInSeconds: 86_400,
      heartbeatSeconds: 30,
    },
    concurrency: 1,
    retryOn: new Set(['child-lost', 'database-unavailable', 'pacs-unreachable', 'memory-short', 'disk-full']),
  }),
  /** Store SEG and SR of a correction in the PACS; key = correction: never two at once, and it does not give up soon. */
  export: row({
    payload: z.strictObject({ correctionId: z.uuid() }),
    queue: {
      policy: 'exclusive',
      retryLimit: 1000,
      retryDelay: 1,
      retryDelayMax: 600,
      expireInSeconds: 600,
      heartbeatSeconds: 15,
    },
    concurrency: 2,
    retryOn: new Set([
      'pacs-unreachable',
      'pacs-refused',
      'pacs-answer-invalid',
      'pacs-store-failed',
      'database-unavailable',
      'child-lost',
      'internal',
    ]),
  }),
} as const satisfies Record<JobKind, KindRow>;

export type JobPayload<Kind extends JobKind> = z.infer<(typeof jobKinds)[Kind]['payload']>;
