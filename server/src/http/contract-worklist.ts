/** What is on the wire of worklists. Imports only zod and contract.ts, so that the extension can take its types. */
import { z } from 'zod';
import { modelName, uid, volume } from './contract.ts';

/**
 * `uncertainty`: what the model is least sure of first, each segment in its turn; `random`: drawn, cases in which the
 * model found something first; `worklist`: newest study first.
 */
export const caseOrder = z.enum(['uncertainty', 'random', 'worklist']).meta({ id: 'CaseOrder' });

/**
 * `new`: no version has segmented it; `segmented`: one has, nobody has answered; `corrected`, `accepted`: the submission
 * that counts edited the mask or took it as it was; `excluded`: rounds leave the series alone.
 */
export const caseState = z.enum(['new', 'segmented', 'corrected', 'accepted', 'excluded']).meta({ id: 'CaseState' });

/** As it stands in `modalities` or `bodyParts`: sites write more into Body Part Examined than its defined terms. */
const listed = z.string().min(1).max(64);

/** A study, by the series of it that the model is for. */
export const worklistItem = z
  .object({
    studyInstanceUid: uid,
    seriesInstanceUid: uid,
    /** Of a series with several volumes the one that readers work on; null: none was chosen, or it holds one. */
    volume: volume.nullable(),
    modality: z.string(),
    /** Body Part Examined; null when the PACS does not tell it. */
    bodyPart: z.string().nullable(),
    /** Of the series, as the PACS gives it: shown, never kept. */
    description: z.string().nullable(),
    /** Of the study, YYYYMMDD as the PACS gives it. */
    studyDate: z.string().nullable(),
    state: caseState,
    /** Of the mask of the version in service, 0 sure .. 1 unsure; null when there is none. */
    uncertainty: z.number().nullable(),
    /** That made the mask, the one in service before others; null when there is none. */
    version: z.int().nullable(),
    /** Who has it open now, so that two readers do not take the same case. */
    openBy: z.enum(['you', 'another']).nullable(),
    /** Readers disagree: corrections of two or more stand and an administrator prefers none. */
    conflict: z.boolean(),
  })
  .meta({ id: 'WorklistItem' });

/** Query of `GET /v1/worklist`. */
export const worklistQuery = z.strictObject({
  model: modelName,
  order: caseOrder.default('uncertainty'),
  state: caseState.optional(),
  modality: listed.optional(),
  bodyPart: listed.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
});

const count = z.int().min(0);

/** Answer of `GET /v1/worklist`. */
export const worklist = z
  .object({
    model: modelName,
    order: caseOrder,
    /** Studies that pass the filters; `items` are those of the page. */
    total: count,
    /** When the PACS was asked. */
    listedAt: z.string(),
    /** Studies in each state, of the modality and body part asked for. */
    counts: z.object({ new: count, segmented: count, corrected: count, accepted: count, excluded: count }),
    /** All that occur, to filter by. */
    modalities: z.array(z.string()),
    bodyParts: z.array(z.string()),
    items: z.array(worklistItem),
  })
  .meta({ id: 'Worklist' });

/** Body of `POST /v1/next-cases`. */
export const startNextCase = z
  .strictObject({
    model: modelName,
    order: caseOrder.default('uncertainty'),
    /** This very study, whatever its state: a reader chose it from the list. */
    studyInstanceUid: uid.optional(),
    /** Absent: whatever nobody has answered, new or segmented. */
    state: caseState.optional(),
    modality: listed.optional(),
    bodyPart: listed.optional(),
    /** The study that the reader has open: not this one again. */
    notStudyInstanceUid: uid.optional(),
  })
  .meta({ id: 'StartNextCase' });

/** A case that is now the caller's to read for half an hour; null when nothing is left. */
export const nextCase = z.object({ item: worklistItem.nullable(), order: caseOrder }).meta({ id: 'NextCase' });

export type CaseOrder = z.infer<typeof caseOrder>;
export type CaseState = z.infer<typeof caseState>;
export type WorklistItem = z.infer<typeof worklistItem>;
export type Worklist = z.infer<typeof worklist>;
export type StartNextCase = z.input<typeof startNextCase>;
export type NextCase = z.infer<typeof nextCase>;
