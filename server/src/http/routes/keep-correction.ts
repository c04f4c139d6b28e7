import { acceptSubmission } from '../../correction/accept.ts';
import { AppError } from '../../errors/app-error.ts';
import { openRoundIfDue } from '../../jobs/round-start.ts';
import type { Card } from '../../registry/card.ts';
import { type AuditRow, appendAudit } from '../../store/audit.ts';
import {
  type CorrectionRow,
  insertCorrection,
  markStored,
  type NewCorrection,
  readCorrectionByKey,
  readCorrectionByObject,
} from '../../store/corrections.ts';
import type { Database } from '../../store/database.ts';
import { readSubject } from '../../store/subjects.ts';
import type { CorrectionParts } from './corrections.ts';

/** A submission as `acceptSubmission` takes it, but for what is looked up here. */
type Submitted = Omit<Parameters<typeof acceptSubmission>[0], 'segmentCount' | 'subject'>;

/**
 * Accepts a submission under a model and keeps it; of two requests with one key at the same time the one that came first is kept and given back.
 *
 * @throws AppError those of `acceptSubmission`; `idempotency-conflict`; `import-known`: the imported object is a correction under the model already.
 */
export async function keepCorrection(
  parts: CorrectionParts,
  submitted: Submitted,
  { name: modelName, segments }: Pick<Card, 'name' | 'segments'>,
): Promise<CorrectionRow> {
  const { database, registry, metrics, blobs } = parts;
  const { subjectKey } = submitted.prediction;
  const subject = subjectKey === null ? undefined : await readSubject(database, subjectKey);
  const row = await acceptSubmission({ ...submitted, segmentCount: segments.length, subject }, blobs);
  const inService = await registry.resolve(modelName);
  const isNew = await insertWhole(parts, row, inService.card.version).then(
    () => true,
    (error: unknown) => {
      if (error instanceof KnownBefore) return false;
      throw error;
    },
  );
  if (isNew) metrics.correctionsTotal.inc({ kind: row.imported ? 'imported' : row.kind });
  const kept = await answeredBefore(database, row.reader, row.idempotencyKey, row.bodySha256);
  if (kept) return kept;
  await refuseKnown(database, modelName, row.segSopInstanceUid);
  throw new AppError('internal', 'The correction was not kept.');
}

/** The correction that a reader handed in under this key before. @throws AppError `idempotency-conflict` */
export async function answeredBefore(
  database: Database,
  reader: string,
  key: string,
  bodySha256: string,
): Promise<CorrectionRow | undefined> {
  const row = await readCorrectionByKey(database, reader, key);
  if (row && row.bodySha256 !== bodySha256) {
    throw new AppError('idempotency-conflict', 'This Idempotency-Key was used for another correction.');
  }
  return row;
}

/** @throws AppError `import-known`: an object of the PACS is a correction under the model already. */
export async function refuseKnown(database: Database, modelName: string, sopInstanceUid: string): Promise<void> {
  const known = await readCorrectionByObject(database, modelName, sopInstanceUid);
  if (!known) return;
  throw new AppError('import-known', `The object is the mask of correction ${known.id}.`, { correctionId: known.id });
}

/** Rolls the transaction back when the idempotency key, or the imported object, turns out to be known. */
class KnownBefore extends Error {}

/** The correction, its export and the round that it makes due: all of them or none. */
function insertWhole(parts: CorrectionParts, row: NewCorrection, fromVersion: number): Promise<void> {
  const { database, queue, policy } = parts;
  const { id: correctionId, modelName, reader, imported } = row;
  return database.transaction(async (tx) => {
    const payload = { correctionId };
    // What was imported lies in the PACS: there is nothing to export.
    const exportJobId = imported
      ? undefined
      : await queue.send('export', payload, { owner: reader, key: correctionId, tx });
    if (!(await insertCorrection(tx, { ...row, exportJobId: exportJobId ?? null }))) throw new KnownBefore();
    if (imported) await markStored(tx, correctionId);
    await appendAudit(tx, auditOf(row));
    await openRoundIfDue(tx, queue, { modelName, fromVersion, trigger: 'corrections' }, policy);
  });
}

function auditOf({
  id: correctionId,
  reader,
  kind,
  changedVoxels,
  modelName: model,
  imported,
}: NewCorrection): AuditRow {
  const object = { correctionId, kind, changedVoxels, model };
  if (!imported) return { actor: reader, action: 'correction-submitted', object };
  const { sopClassUid, sopInstanceUid, resampled, everySlice } = imported;
  return {
    actor: reader,
    action: 'correction-imported',
    object: { ...object, sopClassUid, sopInstanceUid, resampled, everySlice },
  };
}
