import { createHash, randomUUID } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import type { Card } from '../registry/card.ts';
import { createUid } from '../seg/uid.ts';
import { appendAudit } from '../store/audit.ts';
import type { Queryable } from '../store/database.ts';
import { insertPrediction, type NewPrediction, trackCase } from '../store/inferences.ts';
import type { VolumeAddress } from '../study/volume-address.ts';
import type { JobQueue } from './queue.ts';

/** An inference that is to start. */
export interface InferenceStart extends Pick<NewPrediction, 'requestedBy' | 'requestSha256' | 'idempotencyKey'> {
  readonly series: VolumeAddress;
  readonly card: Card;
}

/** Tells one request from another; `model` as it was asked for, null: the first that fits. */
export function hashRequest(series: VolumeAddress, model: string | null): string {
  const { studyInstanceUid, seriesInstanceUid, volume } = series;
  return createHash('sha256')
    .update(JSON.stringify([studyInstanceUid, seriesInstanceUid, volume, model]))
    .digest('hex');
}

/**
 * Queues an inference in the caller's transaction.
 * @returns undefined when `requestedBy` used the idempotency key before: roll the transaction back then.
 * @throws AppError `too-busy`
 */
export async function openInference(
  tx: Queryable,
  queue: JobQueue,
  { series: { studyInstanceUid, seriesInstanceUid, volume }, card, ...request }: InferenceStart,
): Promise<{ readonly id: string; readonly jobId: string } | undefined> {
  const { name, version, weights } = card;
  const id = randomUUID();
  const series = { studyInstanceUid, seriesInstanceUid, volume };
  const payload = { inferenceId: id, ...series, model: { name, version } };
  const jobId = await queue.send('infer', payload, { owner: request.requestedBy, tx });
  if (jobId === undefined) throw new AppError('too-busy', 'The queue took no further job.');
  const trackingUid = await trackCase(tx, { ...series, modelName: name }, createUid());
  const isNew = await insertPrediction(tx, {
    ...request,
    id,
    jobId,
    ...series,
    modelName: name,
    modelVersion: version,
    modelSha256: weights.sha256,
    trackingUid,
  });
  if (!isNew) return undefined;
  const object = { inferenceId: id, jobId, model: name, version };
  await appendAudit(tx, { actor: request.requestedBy, action: 'inference-started', object });
  return { id, jobId };
}
