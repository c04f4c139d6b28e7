/** What goes over the wire of `/v1/imports`. Imports only zod, as the rest of the contract. */
import { z } from 'zod';
import { startInference, uid } from './contract.ts';

/** As the label of a segment may be (LO, PS3.3 C.8.20.4); a number stands for itself. */
const name = z.string().trim().min(1).max(64);

export const startImport = startInference
  .extend({
    /** The SEG or RTSTRUCT, in the same study; the instance where its series holds several. */
    object: z.strictObject({ seriesInstanceUid: uid, sopInstanceUid: uid.optional() }),
    /** Label of a structure of the object, or its number there, to the label of a segment of the card; null leaves it out. */
    structures: z
      .array(z.strictObject({ from: name, to: name.nullable() }))
      .max(1000)
      .default([]),
    /** Labels of segments of the card that the image does not show. */
    absent: z.array(name).max(255).default([]),
    /** Agreed: a mask on another grid is carried over by the nearest voxel, and what lies outside the image left out. */
    resample: z.boolean().default(false),
    /** Vouched for: slices that the object says nothing of show nothing. Else they count as not looked at. */
    everySlice: z.boolean().default(false),
    /** Vouched for: what an algorithm drew and nobody changed. */
    acceptAutomatic: z.boolean().default(false),
  })
  .meta({ id: 'StartImport' });

/** SEGs and RTSTRUCTs of a study, as the PACS lists them: one row an object. */
export const maskList = z
  .object({
    masks: z.array(
      z.object({
        seriesInstanceUid: uid,
        sopInstanceUid: uid,
        modality: z.enum(['SEG', 'RTSTRUCT']),
        /** Of its series, free text of the site; empty when there is none. */
        description: z.string(),
      }),
    ),
  })
  .meta({ id: 'MaskList' });

const term = z.object({ value: z.string(), scheme: z.string() });

/** What the person has to say before the mask can be imported; nothing was kept. */
export const openImport = z
  .object({
    /** Structures that neither code, label nor person name: name each, or leave it out. */
    structures: z.array(
      z.object({
        number: z.int(),
        label: z.string(),
        type: term.nullable(),
        laterality: z.enum(['left', 'right', 'both']).nullable(),
        algorithmType: z.string(),
      }),
    ),
    /** Labels of segments of the card that nothing stands for: name a structure for each, or call it absent. */
    missing: z.array(z.string()),
    /** Labels of all segments of the card. */
    segments: z.array(z.string()),
  })
  .meta({ id: 'OpenImport' });

export type StartImport = z.infer<typeof startImport>;
export type OpenImport = z.infer<typeof openImport>;
export type MaskList = z.infer<typeof maskList>;
