import { z } from 'zod';
import { hashBody } from '../../correction/accept.ts';
import type { Submission } from '../../correction/submission.ts';
import { AppError } from '../../errors/app-error.ts';
import { errorTable } from '../../errors/table.ts';
import type { JobQueue } from '../../jobs/queue.ts';
import { decodeEnvelope } from '../../labelmap/envelope.ts';
import type { Registry } from '../../registry/registry.ts';
import type { RoundPolicy } from '../../round/policy.ts';
import type { BlobStore } from '../../store/blobs.ts';
import { type CorrectionRow, type Imported, readCorrection } from '../../store/corrections.ts';
import type { Database } from '../../store/database.ts';
import { readPrediction } from '../../store/inferences.ts';
import { hasEnded, readJob } from '../../store/job-progress.ts';
import { countPool } from '../../store/pool.ts';
import { readOpenRound } from '../../store/rounds.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Caller } from '../auth.ts';
import { type CorrectionHead, correctionHead, id, type Receipt, receipt } from '../contract.ts';
import { defineRoute, type Route } from '../route.ts';
import { answeredBefore, keepCorrection } from './keep-correction.ts';

export interface CorrectionParts {
  readonly database: Database;
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly blobs: BlobStore;
  readonly metrics: Metrics;
  readonly policy: RoundPolicy;
  readonly maxVoxels: number;
}

/** How long a submit waits for the PACS before the receipt says `storing`. */
const longestWaitMs = 15_000;

/** A reader's submissions: kept at once, stored in the PACS as a SEG and an SR by the server alone. */
export function correctionRoutes(parts: CorrectionParts): Route[] {
  const { database } = parts;
  return [
    defineRoute({
      method: 'post',
      path: '/v1/corrections',
      summary: "Hand in a reader's mask of an inference; the same Idempotency-Key gives the same answer",
      tag: 'corrections',
      role: 'annotator',
      body: {
        mediaType: 'application/octet-stream',
        description: 'Envelope of CorrectionHead and one byte a voxel, with Content-Encoding gzip.',
        limitBytes: parts.maxVoxels + (1 << 20),
      },
      idempotencyKey: 'required',
      replies: { 201: receipt },
      async handle({ body, caller, idempotencyKey, signal }) {
        if (idempotencyKey === undefined) throw new AppError('request-invalid', 'Idempotency-Key is missing.');
        const row = await submit(parts, body, caller, idempotencyKey);
        const settled = await waitUntilStored(parts, row, signal);
        return { status: 201, headers: { location: `/v1/corrections/${row.id}` }, body: await present(parts, settled) };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/corrections/{id}',
      summary: 'Receipt of a correction',
      tag: 'corrections',
      role: 'reader',
      params: z.strictObject({ id }),
      replies: { 200: receipt },
      async handle({ params }) {
        const row = await readCorrection(database, params.id);
        if (!row) throw new AppError('not-found', `There is no correction ${params.id}.`);
        return { status: 200, body: await present(parts, row) };
      },
    }),
  ];
}

async function submit(
  parts: CorrectionParts,
  body: Buffer,
  caller: Caller,
  idempotencyKey: string,
): Promise<CorrectionRow> {
  const { database, registry } = parts;
  const { submission, inferenceId } = readSubmission(body);
  const [bodySha256, prediction] = await Promise.all([hashBody(body), readPrediction(database, inferenceId)]);
  const before = await answeredBefore(database, caller.subject, idempotencyKey, bodySha256);
  if (before) return before;
  if (!prediction) throw new AppError('inference-not-found', `There is no inference ${inferenceId}.`);
  const { card } = await registry.resolve(`${prediction.modelName}@${prediction.modelVersion}`);
  return keepCorrection(parts, { submission, prediction, reader: caller.subject, idempotencyKey, bodySha256 }, card);
}

function readSubmission(body: Uint8Array): { readonly submission: Submission; readonly inferenceId: string } {
  const { head, labels } = decodeEnvelope(body);
  const parsed = correctionHead.safeParse(head);
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => issue.path.join('.') || 'head').slice(0, 5);
    throw new AppError('request-invalid', `The head of the correction is not valid at ${where.join(', ')}.`);
  }
  const { inferenceId, ...rest }: CorrectionHead = parsed.data;
  return { submission: { ...rest, labels }, inferenceId };
}

/** The row once its objects are in the PACS, or as it is when that takes long or the client goes away. */
async function waitUntilStored(
  { database, queue }: CorrectionParts,
  row: CorrectionRow,
  signal: AbortSignal,
): Promise<CorrectionRow> {
  const { exportJobId } = row;
  if (row.state === 'stored' || exportJobId === null) return row;
  await new Promise<void>((resolve) => {
    const unsubscribe = queue.subscribe(exportJobId, (job) => {
      // Queued again: the PACS did not take it at once, and the reader need not wait for the next try.
      if (job.state === 'queued' || hasEnded(job.state)) end();
    });
    const timer = setTimeout(end, longestWaitMs);
    signal.addEventListener('abort', end, { once: true });
    // It may have ended before the subscription.
    void readCorrection(database, row.id).then((now) => {
      if (now?.state === 'stored') end();
    }, end);
    function end() {
      unsubscribe();
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
  });
  return (await readCorrection(database, row.id)) ?? row;
}

/** A row as the contract has it. */
export async function present(
  { database, policy }: Pick<CorrectionParts, 'database' | 'policy'>,
  row: CorrectionRow,
): Promise<Receipt> {
  const [open, { unused }, storing] = await Promise.all([
    readOpenRound(database, row.modelName),
    countPool(database, row.modelName),
    storingOf(database, row),
  ]);
  return {
    id: row.id,
    inferenceId: row.predictionId,
    ...storing,
    seg: {
      sopInstanceUid: row.segSopInstanceUid,
      seriesInstanceUid: row.segSeriesInstanceUid,
      seriesDescription: row.segSeriesDescription,
    },
    sr: srOf(row),
    approvedSlices: row.approvedSlices.length,
    changedVoxels: row.changedVoxels,
    dice: row.dice,
    notes: [...row.notes],
    heldOut: row.heldOut,
    imported: row.imported && presentImported(row.imported),
    untilRound: Math.max(0, policy.correctionsPerRound - unused),
    roundId: row.usedInRound ?? open?.id ?? null,
    withdrawn: row.withdrawn && { reason: row.withdrawn.reason, at: row.withdrawn.at },
  };
}

function presentImported({ structures, ...rest }: Imported): Receipt['imported'] {
  return { ...rest, structures: [...structures] };
}

function srOf({ srSopInstanceUid, srSeriesInstanceUid }: CorrectionRow): Receipt['sr'] {
  if (srSopInstanceUid === null || srSeriesInstanceUid === null) return null;
  return { sopInstanceUid: srSopInstanceUid, seriesInstanceUid: srSeriesInstanceUid };
}

/** Whether the server still tries: a job of the export that has ended and left the correction open has given up. */
async function storingOf(database: Database, row: CorrectionRow): Promise<Pick<Receipt, 'state' | 'error'>> {
  const job =
    row.state === 'storing' && row.exportJobId !== null ? await readJob(database, row.exportJobId) : undefined;
  if (!job || (job.state !== 'failed' && job.state !== 'cancelled')) return { state: row.state, error: null };
  const { code, message } = job.error ?? { code: 'job-cancelled', message: 'Storing was cancelled.' };
  return { state: 'failed', error: { code, message, hint: errorTable[code].hint } };
}
