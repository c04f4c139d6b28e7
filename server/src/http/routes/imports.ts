import { z } from 'zod';
import { hashBody } from '../../correction/accept.ts';
import type { Matching } from '../../correction/match-structures.ts';
import { type ReadMask, readMask } from '../../correction/read-mask.ts';
import { AppError } from '../../errors/app-error.ts';
import type { Card } from '../../registry/card.ts';
import type { CorrectionRow } from '../../store/corrections.ts';
import { isForgotten } from '../../store/forget.ts';
import { type PredictionRow, readNewestPrediction } from '../../store/inferences.ts';
import type { Pacs } from '../../study/pacs.ts';
import type { Caller } from '../auth.ts';
import { receipt, uid } from '../contract.ts';
import {
  type MaskList,
  maskList,
  type OpenImport,
  openImport,
  type StartImport,
  startImport,
} from '../contract-import.ts';
import { defineRoute, type Route } from '../route.ts';
import { type CorrectionParts, present } from './corrections.ts';
import { chooseModel } from './inferences.ts';
import { answeredBefore, keepCorrection, refuseKnown } from './keep-correction.ts';
import { createLine } from './line.ts';

export interface ImportParts extends CorrectionParts {
  readonly pacs: Pacs;
}

/** Masks that were made elsewhere and lie in the PACS: each becomes a correction, as if it came from the panel. */
export function importRoutes(parts: ImportParts): Route[] {
  const inLine = createLine();
  return [
    defineRoute({
      method: 'get',
      path: '/v1/masks',
      summary: 'SEGs and RTSTRUCTs of a study, which may be handed in as corrections',
      tag: 'corrections',
      role: 'annotator',
      query: z.strictObject({ studyInstanceUid: uid }),
      replies: { 200: maskList },
      async handle({ query: { studyInstanceUid }, signal }) {
        const lists = await Promise.all(
          (['SEG', 'RTSTRUCT'] as const).map((modality) => listMasks(parts.pacs, studyInstanceUid, modality, signal)),
        );
        return { status: 200, body: { masks: lists.flat() } };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/imports',
      summary:
        'Hand in a SEG or RTSTRUCT of the PACS as a correction; 200 when it first has to be said what its structures are',
      tag: 'corrections',
      role: 'annotator',
      body: startImport,
      idempotencyKey: 'required',
      replies: { 200: openImport, 201: receipt },
      async handle({ body, caller, idempotencyKey, signal }) {
        if (idempotencyKey === undefined) throw new AppError('request-invalid', 'Idempotency-Key is missing.');
        const imported = await inLine(() => importMask(parts, body, caller, idempotencyKey, signal));
        if ('missing' in imported) return { status: 200, body: imported };
        const headers = { location: `/v1/corrections/${imported.id}` };
        return { status: 201, headers, body: await present(parts, imported) };
      },
    }),
  ];
}

async function listMasks(
  pacs: Pacs,
  studyInstanceUid: string,
  modality: 'SEG' | 'RTSTRUCT',
  signal: AbortSignal,
): Promise<MaskList['masks']> {
  const masks: MaskList['masks'] = [];
  for (const { seriesInstanceUid, description } of await pacs.searchSeries({ studyInstanceUid, modality }, signal)) {
    const objects = await pacs.searchInstances({ studyInstanceUid, seriesInstanceUid }, signal);
    masks.push(...objects.map(({ sopInstanceUid }) => ({ seriesInstanceUid, sopInstanceUid, modality, description })));
  }
  return masks;
}

async function importMask(
  parts: ImportParts,
  body: StartImport,
  caller: Caller,
  idempotencyKey: string,
  signal: AbortSignal,
): Promise<CorrectionRow | OpenImport> {
  signal.throwIfAborted();
  const { database, registry, pacs, maxVoxels } = parts;
  const bodySha256 = await hashBody(Buffer.from(JSON.stringify(body)));
  const before = await answeredBefore(database, caller.subject, idempotencyKey, bodySha256);
  if (before) return before;
  const { card } = await chooseModel(registry, pacs, body, signal);
  const prediction = await findPrediction(parts, body, card);
  const { structures, absent, volume = '', ...wanted } = body;
  const read = await readMask(
    { ...wanted, volume, naming: { structures, absent } },
    { pacs, maxVoxels, segments: card.segments },
    signal,
  );
  if (isOpen(read)) return presentOpen(read, card);
  await refuseKnown(database, card.name, read.imported.sopInstanceUid);
  return keepCorrection(parts, { ...read, prediction, reader: caller.subject, idempotencyKey, bodySha256 }, card);
}

/** What the mask is held against: a correction is of an inference, also when it was drawn without seeing one. */
async function findPrediction(
  { database }: ImportParts,
  { studyInstanceUid, seriesInstanceUid, volume = '' }: StartImport,
  card: Card,
): Promise<PredictionRow> {
  const prediction = await readNewestPrediction(database, { seriesInstanceUid, volume }, card);
  const isOfStudy = prediction?.studyInstanceUid === studyInstanceUid;
  if (prediction && isOfStudy && !(await isForgotten(database, studyInstanceUid))) return prediction;
  const message = `${card.name}@${card.version} has not segmented the series; a mask is held against that.`;
  throw new AppError('inference-not-found', message);
}

function isOpen(read: ReadMask | Matching): read is Matching {
  return 'open' in read;
}

function presentOpen({ open, missing }: Matching, { segments }: Card): OpenImport {
  const labelOf = new Map(segments.map(({ number, label }) => [number, label]));
  return {
    structures: open.map(({ number, label, type = null, laterality = null, algorithmType }) => ({
      ...{ number, label, type, laterality, algorithmType },
    })),
    missing: missing.map((number) => labelOf.get(number) ?? String(number)),
    segments: segments.map(({ label }) => label),
  };
}
