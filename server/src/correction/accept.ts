import { randomUUID, webcrypto } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import { packEnvelope, unpackEnvelope } from '../labelmap/envelope.ts';
import { createUid } from '../seg/uid.ts';
import { describeSeg } from '../seg/write.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { Imported, NewCorrection } from '../store/corrections.ts';
import type { PredictionRow } from '../store/inferences.ts';
import type { Subject } from '../store/subjects.ts';
import { checkSubmission, inOrderOf, type KeyedLabels, type Submission } from './submission.ts';

/** What the row of a new correction is made of. */
export interface Acceptance {
  readonly submission: Submission;
  readonly prediction: PredictionRow;
  readonly segmentCount: number;
  readonly reader: string;
  readonly idempotencyKey: string;
  /** sha256 of the request's body, hex. */
  readonly bodySha256: string;
  /** Of the prediction; undefined until its job is done. */
  readonly subject: Subject | undefined;
  /** Where a mask that was made elsewhere comes from. */
  readonly imported?: Imported;
  /** On how it was read. */
  readonly notes?: readonly string[];
}

/**
 * Checks a submission against its prediction and keeps its labels; returns the row to insert, in which SEG and SR
 * have their UIDs already. What was imported lies in the PACS: its own object stands for the SEG, and there is no SR.
 * Nothing is in the database before the caller inserts it.
 *
 * @throws AppError `inference-not-ready`, and those of {@link checkSubmission}.
 */
export async function acceptSubmission(acceptance: Acceptance, blobs: BlobStore): Promise<NewCorrection> {
  const { submission, prediction, subject } = acceptance;
  if (prediction.labelmapSha256 === null || !subject) {
    throw new AppError('inference-not-ready', `The inference is ${prediction.state}.`, { state: prediction.state });
  }
  const predicted = await openLabels(await blobs.get(prediction.labelmapSha256));
  const { columns, rows, slices } = predicted;
  const ordered = { ...submission, slices, labels: inOrderOf(submission, predicted) };
  const check = async () => checkSubmission(ordered, predicted, acceptance.segmentCount);
  // Packed on a thread while it is checked; what does not pass is not kept.
  const [packed, checked] = await Promise.all([packEnvelope({ columns, rows, slices }, ordered.labels), check()]);
  const labelmapSha256 = await blobs.put(packed);
  return {
    id: randomUUID(),
    predictionId: prediction.id,
    ...(acceptance.imported ? nameImported(acceptance.imported) : nameObjects(acceptance)),
    exportJobId: null,
    reader: acceptance.reader,
    idempotencyKey: acceptance.idempotencyKey,
    bodySha256: acceptance.bodySha256,
    kind: submission.kind,
    labelmapSha256,
    approvedSlices: checked.approvedSlices,
    changedVoxels: checked.changedVoxels,
    dice: checked.dice,
    diceBySegment: checked.diceBySegment,
    notes: [...(prediction.result?.notes ?? []), ...(acceptance.notes ?? [])],
    studyInstanceUid: prediction.studyInstanceUid,
    seriesInstanceUid: prediction.seriesInstanceUid,
    volume: prediction.volume,
    modelName: prediction.modelName,
    modelVersion: prediction.modelVersion,
    trackingUid: prediction.trackingUid,
    subjectKey: subject.key,
    heldOut: subject.heldOut,
    imported: acceptance.imported ?? null,
  };
}

type Objects = Pick<
  NewCorrection,
  | 'segSopInstanceUid'
  | 'segSeriesInstanceUid'
  | 'segSeriesDescription'
  | 'segSha256'
  | 'srSopInstanceUid'
  | 'srSeriesInstanceUid'
>;

function nameObjects({ submission, prediction }: Acceptance): Objects {
  const corrected = submission.kind === 'edited';
  return {
    segSopInstanceUid: createUid(),
    segSeriesInstanceUid: createUid(),
    segSeriesDescription: describeSeg({ name: prediction.modelName, version: prediction.modelVersion }, corrected),
    segSha256: null,
    srSopInstanceUid: createUid(),
    srSeriesInstanceUid: createUid(),
  };
}

function nameImported({ sopInstanceUid, seriesInstanceUid, sha256 }: Imported): Objects {
  return {
    segSopInstanceUid: sopInstanceUid,
    segSeriesInstanceUid: seriesInstanceUid,
    // Its own description is free text of others.
    segSeriesDescription: '',
    segSha256: sha256,
    srSopInstanceUid: null,
    srSeriesInstanceUid: null,
  };
}

async function openLabels(blob: Uint8Array): Promise<KeyedLabels> {
  const { head, labels } = await unpackEnvelope(blob);
  const { columns, rows, slices } = head as Omit<KeyedLabels, 'labels'>;
  return { columns, rows, slices, labels };
}

/** sha256 of a body, hex: tells a repeated request from another one under the same key. On a thread: a mask has millions of bytes. */
export async function hashBody(body: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', body)).toString('hex');
}
