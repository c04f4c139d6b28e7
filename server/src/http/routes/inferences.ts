import { z } from 'zod';
import { AppError } from '../../errors/app-error.ts';
import { hashRequest, openInference } from '../../jobs/infer-start.ts';
import type { JobQueue } from '../../jobs/queue.ts';
import { endSurvey } from '../../jobs/survey.ts';
import type { ListedVersion, Registry } from '../../registry/registry.ts';
import type { BlobStore } from '../../store/blobs.ts';
import type { Database } from '../../store/database.ts';
import { isForgotten } from '../../store/forget.ts';
import { type PredictionRow, readPrediction, readPredictionByKey } from '../../store/inferences.ts';
import { readJob } from '../../store/job-progress.ts';
import { packMap } from '../../student/doubt.ts';
import type { Pacs } from '../../study/pacs.ts';
import type { Caller } from '../auth.ts';
import { acceptedJob, type Inference, id, inference, type StartInference, startInference } from '../contract.ts';
import { defineRoute, type Route } from '../route.ts';
import { createLine } from './line.ts';
import { listFitting } from './models.ts';

export interface InferenceParts {
  readonly database: Database;
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly blobs: BlobStore;
  readonly pacs: Pacs;
}

const params = z.strictObject({ id });
const summaries = { labelmap: 'Mask of a finished inference', uncertainty: 'Where the model was unsure' };
const envelopes = {
  labelmap: 'Envelope of LabelmapHead and one byte a voxel, always with Content-Encoding gzip.',
  uncertainty: 'The same with hundredths of normalised entropy, to about one: 0 sure .. 100 unsure.',
};

/** Segmenting a series: start, state and result, mask. Nothing of it is stored in the PACS. */
export function inferenceRoutes(parts: InferenceParts): Route[] {
  const { database, blobs } = parts;
  const inLine = createLine();
  const find = async (inferenceId: string): Promise<PredictionRow> => {
    const row = await readPrediction(database, inferenceId);
    if (!row || (await isForgotten(database, row.studyInstanceUid)))
      throw new AppError('inference-not-found', `There is no inference ${inferenceId}.`);
    return row;
  };
  return [
    defineRoute({
      method: 'post',
      path: '/v1/inferences',
      summary: 'Segment a series',
      tag: 'inferences',
      role: 'annotator',
      body: startInference,
      idempotencyKey: 'optional',
      replies: { 202: acceptedJob },
      async handle({ body, caller, idempotencyKey, signal }) {
        const accepted = await start(parts, body, caller, idempotencyKey, signal);
        // Not waited for, and no fault of this request: at worst the reader's job waits for that of the survey.
        endSurvey(parts).catch(() => undefined);
        return { status: 202, headers: { location: `/v1/inferences/${accepted.id}` }, body: accepted };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/inferences/{id}',
      summary: 'State and result of an inference',
      tag: 'inferences',
      role: 'reader',
      params,
      replies: { 200: inference },
      handle: async ({ params }) => ({ status: 200, body: presentInference(await find(params.id)) }),
    }),
    ...(['labelmap', 'uncertainty'] as const).map((what) =>
      defineRoute({
        method: 'get',
        path: `/v1/inferences/{id}/${what}`,
        summary: summaries[what],
        tag: 'inferences',
        role: 'reader',
        params,
        replies: { 200: { mediaType: 'application/octet-stream', description: envelopes[what] } },
        async handle({ params, signal }) {
          const row = await find(params.id);
          const sha256 = row[`${what}Sha256`];
          if (sha256 === null) throw await notReady(database, row);
          const headers = {
            'content-encoding': 'gzip',
            'cache-control': 'private, max-age=31536000, immutable',
            etag: `"${sha256}"`,
          };
          const blob = await blobs.get(sha256);
          const bytes = what === 'labelmap' ? blob : await inLine(() => packMap(blob, signal));
          return { status: 200, headers, bytes };
        },
      }),
    ),
  ];
}

/** A row as the contract has it. */
export function presentInference(row: PredictionRow): Inference {
  const { result } = row;
  return {
    id: row.id,
    jobId: row.jobId,
    state: row.state,
    model: { name: row.modelName, version: row.modelVersion, sha256: row.modelSha256 },
    series: {
      ...{ studyInstanceUid: row.studyInstanceUid, seriesInstanceUid: row.seriesInstanceUid },
      volume: row.volume || null,
    },
    segments: (result?.segments ?? []).map((segment) => ({ ...segment, colour: [...segment.colour] })),
    missingSegments: [...(result?.missingSegments ?? [])],
    isStrange: result?.isStrange ?? false,
    uncertainty: result?.uncertainty ?? null,
    timingsMs: { ...result?.timingsMs },
    trackingUid: row.trackingUid,
    notes: [...(result?.notes ?? [])],
  };
}

async function start(
  parts: InferenceParts,
  body: StartInference,
  caller: Caller,
  key: string | undefined,
  signal: AbortSignal,
): Promise<{ id: string; jobId: string }> {
  const { database, queue, registry, pacs } = parts;
  const { studyInstanceUid, seriesInstanceUid, volume = '' } = body;
  const series = { studyInstanceUid, seriesInstanceUid, volume };
  const requestSha256 = hashRequest(series, body.model ?? null);
  const before = await answeredBefore(database, caller, key, requestSha256);
  if (before) return before;
  const model = await chooseModel(registry, pacs, body, signal);
  const accepted = await database
    .transaction(async (tx) => {
      const opened = await openInference(tx, queue, {
        series,
        card: model.card,
        requestedBy: caller.subject,
        requestSha256,
        idempotencyKey: key ?? null,
      });
      if (!opened) throw new RepeatedRequest();
      return opened;
    })
    .catch((error: unknown) => {
      if (error instanceof RepeatedRequest) return undefined;
      throw error;
    });
  // Two requests with one key at the same time: the other one was first, and its answer is the answer.
  const answer = accepted ?? (await answeredBefore(database, caller, key, requestSha256));
  if (!answer) throw new AppError('internal', 'The inference could not be started.');
  return answer;
}

/** Rolls the transaction back when its idempotency key turns out to be used. */
class RepeatedRequest extends Error {}

async function answeredBefore(
  database: Database,
  caller: Caller,
  key: string | undefined,
  requestSha256: string,
): Promise<{ id: string; jobId: string } | undefined> {
  const row = key === undefined ? undefined : await readPredictionByKey(database, caller.subject, key);
  if (!row) return undefined;
  if (row.requestSha256 !== requestSha256) {
    throw new AppError('idempotency-conflict', 'This Idempotency-Key was used for another inference.');
  }
  return { id: row.id, jobId: row.jobId };
}

/** The version that a request names, else the first in service that fits its series. */
export async function chooseModel(
  registry: Registry,
  pacs: Pacs,
  body: StartInference,
  signal: AbortSignal,
): Promise<ListedVersion> {
  if (body.model) return registry.resolve(body.model);
  const [first] = await listFitting(registry, pacs, body, signal);
  if (first) return first;
  throw new AppError('series-modality-mismatch', 'No model in service fits this series.');
}

async function notReady(database: Database, row: PredictionRow): Promise<AppError> {
  if (row.labelmapSha256 !== null) {
    return new AppError('not-found', 'This inference is of a version that kept no uncertainty. Segment again.');
  }
  const job = await readJob(database, row.jobId);
  const why = job?.error ? ` (${job.error.code})` : '';
  return new AppError('inference-not-ready', `The inference is ${row.state}${why}.`, { state: row.state });
}
