import { createHash } from 'node:crypto';
import { makeCorrectionSeg } from '../correction/store-seg.ts';
import { AppError } from '../errors/app-error.ts';
import type { Registry } from '../registry/registry.ts';
import { appendAudit } from '../store/audit.ts';
import type { BlobStore } from '../store/blobs.ts';
import { keepSeg, listStoringCorrections, markStored, readCorrection, setExportJob } from '../store/corrections.ts';
import type { Database } from '../store/database.ts';
import type { Pacs } from '../study/pacs.ts';
import { readSeriesFromPacs } from '../study/series.ts';
import type { JobHandler } from './attempt.ts';
import type { JobPayload } from './kinds.ts';
import type { JobQueue } from './queue.ts';

export interface ExportParts {
  readonly database: Database;
  readonly registry: Registry;
  readonly blobs: BlobStore;
  readonly pacs: Pacs;
  readonly maxVoxels: number;
}

/**
 * The handler of `export` jobs: makes the SEG of a correction and stores it in the PACS. The object's UID was fixed
 * with the correction, so an export that is tried again, after a crash too, finds it or stores the same object.
 */
export function exportHandler(parts: ExportParts): JobHandler<JobPayload<'export'>> {
  const { database, registry, blobs, pacs, maxVoxels } = parts;
  return async ({ payload, signal, report }) => {
    const correction = await readCorrection(database, payload.correctionId);
    if (!correction) throw new AppError('not-found', `There is no correction ${payload.correctionId}.`);
    if (correction.state === 'stored') return;
    const { studyInstanceUid, seriesInstanceUid, segSeriesInstanceUid, segSopInstanceUid } = correction;
    const address = { studyInstanceUid, seriesInstanceUid: segSeriesInstanceUid, sopInstanceUid: segSopInstanceUid };
    report({ stage: 'retrieve', percent: 0 });
    if (!(await pacs.has(address, signal))) {
      const { card } = await registry.resolve(`${correction.modelName}@${correction.modelVersion}`);
      const series = await readSeriesFromPacs(pacs, { studyInstanceUid, seriesInstanceUid }, { maxVoxels, signal });
      const { bytes, notes } = makeCorrectionSeg(
        {
          correction,
          model: { name: card.name, version: card.version, sha256: card.weights.sha256 },
          segments: card.segments,
          envelope: await blobs.get(correction.labelmapSha256),
        },
        series,
      );
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await keepSeg(database, correction.id, sha256, [...correction.notes, ...notes]);
      report({ stage: 'store', percent: 60 });
      await pacs.store(bytes, signal);
    }
    await database.transaction(async (tx) => {
      if (!(await markStored(tx, correction.id))) return;
      const object = { correctionId: correction.id, sopInstanceUid: segSopInstanceUid };
      await appendAudit(tx, { actor: 'server', action: 'correction-stored', object });
    });
  };
}

/**
 * Queues the storing of every correction that the PACS does not hold and no open job stores: its job met a fault that
 * does not pass by itself, or waited for the PACS longer than the queue keeps a job. A start of the server is the next
 * chance.
 */
export async function resumeExports(database: Database, queue: JobQueue): Promise<void> {
  for (const { id, reader } of await listStoringCorrections(database)) {
    await database.transaction(async (tx) => {
      const jobId = await queue.send('export', { correctionId: id }, { owner: reader, key: id, tx });
      if (jobId !== undefined) await setExportJob(tx, id, jobId);
    });
  }
}
