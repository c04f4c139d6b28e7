import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { requestSeg } from '../correction/store-seg.ts';
import { addressSr, requestSr } from '../correction/store-sr.ts';
import { AppError } from '../errors/app-error.ts';
import { unpackEnvelope } from '../labelmap/envelope.ts';
import type { Registry } from '../registry/registry.ts';
import { labelmapStorage, type SegEncoding } from '../seg/encoding.ts';
import { type SegRequest, writeSeg } from '../seg/write.ts';
import { writeSr } from '../sr/write.ts';
import { appendAudit } from '../store/audit.ts';
import type { BlobStore } from '../store/blobs.ts';
import {
  type CorrectionRow,
  keepSeg,
  listStoringCorrections,
  markStored,
  readCorrection,
  setExportJob,
} from '../store/corrections.ts';
import type { Database } from '../store/database.ts';
import type { Pacs, SeriesAddress } from '../study/pacs.ts';
import type { RetrieveProgress } from '../study/retrieve.ts';
import { readSeriesFromPacs } from '../study/series.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { JobHandler } from './attempt.ts';
import type { JobPayload } from './kinds.ts';
import type { JobQueue } from './queue.ts';

export interface ExportParts {
  readonly database: Database;
  readonly registry: Registry;
  readonly blobs: BlobStore;
  readonly pacs: Pacs;
  readonly maxVoxels: number;
  readonly metrics: Metrics;
  /** Of the SEGs that are stored from now on. */
  readonly segEncoding: SegEncoding<'BINARY' | 'LABELMAP'>;
}

/**
 * The handler of `export` jobs: makes SEG and SR of a correction and stores them in the PACS. Their UIDs were fixed with
 * the correction, so an export that is tried again, after a crash between the two as well, finds each of them or stores
 * the same object.
 */
export function exportHandler(parts: ExportParts): JobHandler<JobPayload<'export'>> {
  const { database, pacs } = parts;
  return async ({ payload, signal, report }) => {
    const correction = await readCorrection(database, payload.correctionId);
    if (!correction) throw new AppError('not-found', `There is no correction ${payload.correctionId}.`);
    if (correction.state === 'stored') return;
    const { studyInstanceUid, segSeriesInstanceUid, segSopInstanceUid } = correction;
    const seg = { studyInstanceUid, seriesInstanceUid: segSeriesInstanceUid, sopInstanceUid: segSopInstanceUid };
    const sr = addressSr(correction);
    const clock = stageClock(parts.metrics);
    report({ stage: 'retrieve', percent: 0 });
    const stored = await storedSegType(pacs, seg, signal);
    const lacksSeg = stored === undefined;
    const lacksSr = sr !== undefined && !(await pacs.has(sr, signal));
    if (lacksSeg || lacksSr) {
      const { request, modality } = await requestMask(parts, correction, stored, clock, signal);
      let storing: Promise<void> | undefined;
      if (lacksSeg) {
        const { bytes, notes } = writeSeg(request);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        await keepSeg(database, correction.id, sha256, [...new Set([...correction.notes, ...notes])]);
        report({ stage: 'store', percent: 60 });
        clock.begin('store');
        storing = pacs.store(bytes, signal);
        // Its fault is met below.
        storing.catch(() => undefined);
        // On its way, before this thread has something else to do.
        await setImmediate();
      }
      // Written while the PACS takes the SEG, stored after it, because it points at it. What was repaired in the source
      // attributes the SEG has told already.
      let written: ReturnType<typeof writeSr> | undefined;
      try {
        clock.begin('write');
        if (lacksSr) written = writeSr(requestSr(correction, sr, request, modality));
        clock.begin('store');
      } finally {
        await storing;
      }
      if (written) {
        report({ stage: 'store', percent: 80 });
        await pacs.store(written.bytes, signal);
      }
    }
    clock.end();
    await database.transaction(async (tx) => {
      if (!(await markStored(tx, correction.id))) return;
      const object = {
        correctionId: correction.id,
        sopInstanceUid: segSopInstanceUid,
        ...(sr && { srSopInstanceUid: sr.sopInstanceUid }),
      };
      await appendAudit(tx, { actor: 'server', action: 'correction-stored', object });
    });
  };
}

/** Measures stages that follow each other, from `retrieve` on; one that comes again counts on. What this process does counts as `write`, also while the PACS is at work. */
function stageClock({ exportSeconds }: Metrics) {
  const took = { retrieve: 0, write: 0, store: 0 };
  let stage: keyof typeof took = 'retrieve';
  let since = performance.now();
  const begin = (next: keyof typeof took): void => {
    const now = performance.now();
    took[stage] += now - since;
    [stage, since] = [next, now];
  };
  return {
    begin,
    end(): void {
      begin(stage);
      for (const [each, ms] of Object.entries(took)) exportSeconds.observe({ stage: each }, ms / 1000);
    },
  };
}

type StageClock = ReturnType<typeof stageClock>;

/** The type of a SEG that the PACS holds. The setting may have changed since, and a report has to name its SOP class. */
async function storedSegType(
  pacs: Pacs,
  { sopInstanceUid, ...series }: SeriesAddress & { readonly sopInstanceUid: string },
  signal: AbortSignal,
): Promise<'BINARY' | 'LABELMAP' | undefined> {
  const instances = await pacs.searchInstances(series, signal);
  const stored = instances.find((instance) => instance.sopInstanceUid === sopInstanceUid);
  return stored && (stored.sopClassUid === labelmapStorage ? 'LABELMAP' : 'BINARY');
}

/** The reader's mask on its series, as the PACS holds that now. */
async function requestMask(
  { registry, blobs, pacs, maxVoxels, segEncoding }: ExportParts,
  correction: CorrectionRow,
  stored: 'BINARY' | 'LABELMAP' | undefined,
  clock: StageClock,
  signal: AbortSignal,
): Promise<{ readonly request: SegRequest; readonly modality: string }> {
  const { modelName, modelVersion, labelmapSha256 } = correction;
  clock.begin('write');
  const { card } = await registry.resolve(`${modelName}@${modelVersion}`);
  const blob = await blobs.get(labelmapSha256);
  clock.begin('retrieve');
  const onProgress = ({ instances, expected }: RetrieveProgress) => {
    if (instances === expected) clock.begin('write');
  };
  const [series, envelope] = await Promise.all([
    readSeriesFromPacs(pacs, correction, { maxVoxels, onProgress, signal }),
    unpackEnvelope(blob),
  ]);
  const model = { name: card.name, version: card.version, sha256: card.weights.sha256 };
  const encoding = stored ? ({ type: stored, pixels: 'native' } as const) : segEncoding;
  const request = requestSeg({ correction, model, segments: card.segments, envelope }, series, encoding);
  return { request, modality: series.modality };
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
