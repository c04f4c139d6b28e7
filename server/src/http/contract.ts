/** Everything on the wire under `/v1`. Imports only zod, so that the extension can take its types. */
import { z } from 'zod';

/** Components with a leading zero are not of the standard (PS3.5 9.1) and occur in the field. */
const uidForm = '\\d+(\\.\\d+)*';

export const uid = z
  .string()
  .max(64)
  .regex(new RegExp(`^${uidForm}$`))
  .meta({ id: 'Uid' });
/** A slice of a series: its SOP Instance UID, and for a frame of a multi-frame object `:` and its number, from 1. */
export const slice = z
  .string()
  .max(71)
  .regex(new RegExp(`^${uidForm}(:[1-9]\\d{0,5})?$`))
  .meta({ id: 'Slice' });
/** One volume of a series that holds several, as the refusal `series-several-volumes` names it: what tells it apart. */
export const volume = z
  .string()
  .max(1200)
  .regex(/^[A-Za-z]+=[\w.+\\ -]{0,64}(,[A-Za-z]+=[\w.+\\ -]{0,64})*$/)
  .meta({ id: 'Volume' });
export const id = z.uuid().meta({ id: 'Id' });
export const modelName = z.string().regex(/^[a-z0-9-]{1,40}$/);

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    hint: z.string(),
    seen: z.record(z.string(), z.unknown()),
    requestId: z.string(),
  })
  .meta({ id: 'Problem' });

export const jobState = z.enum(['queued', 'running', 'done', 'failed', 'cancelled']);
export const job = z
  .object({
    id,
    kind: z.enum(['infer', 'train', 'export']),
    state: jobState,
    /** retrieve | decode | resample | segment | decide | save, or plan | train | evaluate | promote. */
    stage: z.string(),
    percent: z.number().min(0).max(100),
    /** Null while unknown. */
    secondsLeft: z.number().nullable(),
    /** Set for training: step, steps, loss terms, trust rates. */
    figures: z.record(z.string(), z.number()),
    error: z
      .object({ code: z.string(), message: z.string(), hint: z.string(), seen: z.record(z.string(), z.unknown()) })
      .nullable(),
  })
  .meta({ id: 'Job' });

export const startInference = z
  .strictObject({
    studyInstanceUid: uid,
    seriesInstanceUid: uid,
    /** Which, where the series holds several volumes; those are refused without it. */
    volume: volume.optional(),
    /** `name` (the version in service) or `name@version`; absent: the first model that fits. */
    model: z
      .string()
      .regex(/^[a-z0-9-]{1,40}(@\d{1,6})?$/)
      .optional(),
  })
  .meta({ id: 'StartInference' });
export const acceptedJob = z.object({ id, jobId: id }).meta({ id: 'AcceptedJob' });

export const modelRef = z.object({ name: modelName, version: z.int(), sha256: z.string() }).meta({ id: 'ModelRef' });
export const segmentResult = z.object({
  number: z.int(),
  label: z.string(),
  voxels: z.int(),
  ml: z.number(),
  colour: z.array(z.number()),
});
export const inference = z
  .object({
    id,
    jobId: id,
    state: jobState,
    model: modelRef,
    /** `volume` is null where the series holds one. */
    series: z.object({ studyInstanceUid: uid, seriesInstanceUid: uid, volume: volume.nullable() }),
    segments: z.array(segmentResult),
    /** Numbers of the segments that stand in every fitting series and were not found. */
    missingSegments: z.array(z.int()),
    /** The image looks unlike those that the model was made for; false until done, and where the card does not say what they look like. */
    isStrange: z.boolean(),
    /** Mean normalised entropy inside the dilated mask, 0 sure .. 1 unsure; 1 when a segment is missing or the image is strange; null until done. */
    uncertainty: z.number().nullable(),
    timingsMs: z.record(z.string(), z.number()),
    trackingUid: uid,
    notes: z.array(z.string()),
  })
  .meta({ id: 'Inference' });

/**
 * Head of a labelmap envelope. The envelope is: 4 bytes little-endian length of the JSON head, the head as UTF-8, then
 * `rows * columns` bytes a slice in the order of `slices`; each byte is a segment number, 0 = background. The whole is
 * sent with `Content-Encoding: gzip`.
 */
export const labelmapHead = z
  .strictObject({
    columns: z.int().min(1).max(65535),
    rows: z.int().min(1).max(65535),
    slices: z.array(slice).min(1),
  })
  .meta({ id: 'LabelmapHead' });

/** Head of the envelope of `POST /v1/corrections`. */
export const correctionHead = labelmapHead
  .extend({
    inferenceId: id,
    /** `edited`: the reader changed something; `accepted`: unchanged, and right on the slices vouched for. */
    kind: z.enum(['edited', 'accepted']),
    /** Slices the reader vouches for; all others count as unlabelled. */
    approvedSlices: z.array(slice).min(1),
  })
  .meta({ id: 'CorrectionHead' });

/** A structure of an imported object, by its number there. */
const importedStructure = z.object({
  number: z.int(),
  /** Number of the segment of the card that it became; 0: left out. */
  segment: z.int(),
  /** What told so. */
  by: z.enum(['code', 'label', 'person']),
  /** `AUTOMATIC`, `SEMIAUTOMATIC`, `MANUAL`, or empty, as the object says. */
  algorithmType: z.string(),
});

export const receipt = z
  .object({
    id,
    inferenceId: id,
    /** `stored` once the PACS holds SEG and SR; `storing` while the server keeps trying; `failed` until it starts again. */
    state: z.enum(['storing', 'stored', 'failed']),
    /** Why storing failed; else null. */
    error: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
    /** Of an imported mask the object that it was read from, without its description. */
    seg: z.object({ sopInstanceUid: uid, seriesInstanceUid: uid, seriesDescription: z.string() }),
    /** The report with the volumes; null for an imported mask, and for a correction made before there were reports. */
    sr: z.object({ sopInstanceUid: uid, seriesInstanceUid: uid }).nullable(),
    approvedSlices: z.int(),
    changedVoxels: z.int(),
    dice: z.number().nullable(),
    /** Reported when source attributes had to be repaired or left out. */
    notes: z.array(z.string()),
    /** The reader belongs to the patients kept apart for checking: it will not train. */
    heldOut: z.boolean(),
    /** Where a mask that was made elsewhere comes from; null for one from the panel. */
    imported: z
      .object({
        sopClassUid: uid,
        sopInstanceUid: uid,
        seriesInstanceUid: uid,
        /** Of the file, as it was read. */
        sha256: z.string(),
        structures: z.array(importedStructure),
        /** Carried over from another grid by the nearest voxel. */
        resampled: z.boolean(),
        /** Slices that the object says nothing of were vouched for as empty. */
        everySlice: z.boolean(),
      })
      .nullable(),
    /** Corrections still missing until the next round. */
    untilRound: z.int(),
    roundId: id.nullable(),
    /** Taken back: no later round learns from it. */
    withdrawn: z.object({ reason: z.string(), at: z.string() }).nullable(),
  })
  .meta({ id: 'Receipt' });

export const model = z
  .object({
    name: modelName,
    version: z.int(),
    sha256: z.string(),
    inService: z.boolean(),
    title: z.string(),
    trainedFor: z.string(),
    modality: z.array(z.string()),
    segments: z.array(z.object({ number: z.int(), label: z.string(), colour: z.array(z.number()) })),
    dimension: z.enum(['2d', '3d']),
    parameters: z.object({ inference: z.int() }),
    parent: z.int().nullable(),
    /** That trained it. */
    engine: z.string(),
    /** How a round made it; null of a version that was trained from a recipe. */
    lineage: z
      .object({
        round: id,
        corrections: z.int(),
        planSha256: z.string(),
        seed: z.int(),
        code: z.object({ version: z.string(), commit: z.string().nullable() }),
      })
      .nullable(),
    notes: z.array(z.string()),
  })
  .meta({ id: 'Model' });

/** Answer of `GET /v1/models`, the best fit for the series first; without a series, every version. */
export const modelList = z.object({ models: z.array(model) }).meta({ id: 'ModelList' });

export type Job = z.infer<typeof job>;
export type StartInference = z.infer<typeof startInference>;
export type AcceptedJob = z.infer<typeof acceptedJob>;
export type Inference = z.infer<typeof inference>;
export type LabelmapHead = z.infer<typeof labelmapHead>;
export type CorrectionHead = z.infer<typeof correctionHead>;
export type Receipt = z.infer<typeof receipt>;
export type Model = z.infer<typeof model>;
export type ModelList = z.infer<typeof modelList>;
export type Problem = z.infer<typeof problem>;
