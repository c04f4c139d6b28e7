import { createHash } from 'node:crypto';
import type { ForeignGraph, ShapedArray } from '../../engine/foreign-graph.ts';
import { AppError } from '../../errors/app-error.ts';
import { product } from '../../student/layers.ts';
import { distilledMapsOf } from '../distill.ts';
import type { Prompt } from '../prompts.ts';
import type { EmbeddingCache } from './embedding-cache.ts';
import { keptGrid, poolToKept } from './feature-maps.ts';
import { enlarge, readAtPixels } from './framing.ts';
import {
  absentLogit,
  type FeatureSource,
  type Frame,
  type GeneralizedTeacher,
  type ImageToAsk,
} from './generalized.ts';
import type { FeatureMap, TeacherManifest } from './manifest.ts';

/** The two graphs of a manifest, opened with the inner values that it names. */
export interface TeacherGraphs {
  readonly encoder: ForeignGraph;
  readonly decoder: ForeignGraph;
}

/** Numbers in the masks that are kept by image and prompt: 75 MB, 1500 masks of 112 x 112 pixels. */
const maskNumbersKept = 1500 * 112 * 112;

/**
 * A promptable foundation model as generalized teacher: of slices with boxes (SAM, MedSAM and their kin) or of volumes with
 * clicks (SAM-Med3D). It sees exactly the pixels that the student sees, enlarged. Frozen: no gradient ever reaches it.
 */
export class PromptableTeacher implements GeneralizedTeacher {
  readonly description: string;
  readonly features: FeatureSource;
  readonly manifest: TeacherManifest;
  readonly #graphs: TeacherGraphs;
  /** Of the encoder's file. */
  readonly #sha256: string;
  readonly #cache: EmbeddingCache;
  readonly #masks = new Map<string, Float32Array>();
  readonly #keys = new WeakMap<Float32Array, string>();

  /**
   * @param sha256 of the encoder's file, by which encodings are kept.
   * @throws AppError `teacher-invalid` when a graph lacks an input or output that the manifest names.
   */
  constructor(manifest: TeacherManifest, graphs: TeacherGraphs, sha256: string, cache: EmbeddingCache) {
    checkFit(manifest, graphs);
    this.manifest = manifest;
    const prompts = manifest.prompt === 'box' ? 'boxes round' : 'clicks in';
    this.description = `Generalized teacher: ${manifest.title}, prompted with ${prompts} what the specialized teacher found.`;
    this.#sha256 = sha256;
    this.#graphs = graphs;
    this.#cache = cache;
    const maps = distilledMapsOf(manifest);
    this.features = { maps, hidden: (frame) => this.#hidden(frame), semantic: (image) => this.#semantic(image) };
  }

  async prepare(image: Frame): Promise<void> {
    await this.#encoded(image, 'embedding');
  }

  async ask(image: ImageToAsk): Promise<Float32Array | null> {
    if (image.prompts.every((ofClass) => ofClass.length === 0)) return null;
    const pixels = product(image.space);
    const logits = new Float32Array(image.prompts.length * pixels).fill(absentLogit);
    for (const [index, prompts] of image.prompts.entries()) {
      const ofClass = logits.subarray(index * pixels, (index + 1) * pixels);
      for (const prompt of prompts) {
        const mask = await this.#mask(image, prompt);
        for (let at = 0; at < pixels; at++) ofClass[at] = Math.max(ofClass[at] ?? 0, mask[at] ?? 0);
      }
    }
    return logits;
  }

  async dispose(): Promise<void> {
    await this.#graphs.encoder.dispose();
    await this.#graphs.decoder.dispose();
  }

  async #hidden(frame: Frame): Promise<readonly Float32Array[]> {
    const { hidden } = this.manifest.encoder;
    const kept = await this.#encoded(frame, 'hidden');
    const cells = product(keptGrid(frame.space.length));
    let end = 0;
    return hidden.map(({ channels }) => {
      end += channels * cells;
      return kept.subarray(end - channels * cells, end);
    });
  }

  async #semantic(image: ImageToAsk): Promise<Float32Array> {
    const { semantic } = this.manifest.decoder;
    if (!semantic) return new Float32Array();
    const each = semantic.channels * product(keptGrid(image.space.length));
    const all = new Float32Array(image.prompts.length * each);
    for (const [index, [prompt]] of image.prompts.entries()) {
      if (!prompt) continue;
      const { [semantic.output]: map } = await this.#decode(image, prompt, [semantic.output]);
      all.set(poolToKept(checkedMap(map, semantic), semantic.channels, semantic.grid), index * each);
    }
    return all;
  }

  /** Logits of one prompt on the image's pixels, [space...]. */
  async #mask(frame: Frame, prompt: Prompt): Promise<Float32Array> {
    const key = `${this.#keyOf(frame)} ${pointsOf(prompt, 1).coordinates.join(' ')}`;
    const known = this.#masks.get(key);
    if (known) return known;
    const { mask } = this.manifest.decoder;
    const { [mask.output]: logits } = await this.#decode(frame, prompt, [mask.output]);
    const result = readAtPixels(checkedMap(logits, mask), mask.grid[0] ?? 0, frame);
    this.#masks.set(key, result);
    const oldest = this.#masks.keys().next().value;
    if (this.#masks.size * result.length > maskNumbersKept && oldest !== undefined) this.#masks.delete(oldest);
    return result;
  }

  async #decode({ image, space }: Frame, prompt: Prompt, outputs: readonly string[]) {
    const { encoder, decoder } = this.manifest;
    const embedding = await this.#encoded({ image, space }, 'embedding');
    const { coordinates, labels } = pointsOf(prompt, (encoder.size[0] ?? 0) / Math.max(...space));
    const names = decoder.inputs;
    const inputs: Record<string, ShapedArray> = {
      [names.embedding]: shaped(embedding, [1, encoder.embedding.channels, ...encoder.embedding.grid]),
      [names.points]: shaped(coordinates, [1, labels.length, space.length]),
      [names.labels]: shaped(labels, [1, labels.length]),
    };
    const { grid } = decoder.mask;
    if (names.mask) inputs[names.mask] = shaped(new Float32Array(product(grid)), [1, 1, ...grid]);
    if (names.hasMask) inputs[names.hasMask] = shaped([0], [1]);
    if (names.originalSize) inputs[names.originalSize] = shaped(space, [space.length]);
    return this.#graphs.decoder.run(inputs, outputs);
  }

  /** The embedding, or all hidden maps one after the other; from the cache where it has both. */
  async #encoded(frame: Frame, what: 'embedding' | 'hidden'): Promise<Float32Array> {
    const key = this.#keyOf(frame);
    const known = await this.#cache.get(`${key}-${what}`);
    if (known) return known;
    const { encoder } = this.manifest;
    const wanted = [encoder.embedding, ...encoder.hidden];
    const image = shaped(enlarge(frame, encoder), [1, encoder.channels, ...encoder.size]);
    const found = await this.#graphs.encoder.run({ [encoder.input]: image }, [
      ...new Set(wanted.map((map) => map.output)),
    ]);
    const embedding = checkedMap(found[encoder.embedding.output], encoder.embedding);
    const maps = encoder.hidden.map((map) => poolToKept(checkedMap(found[map.output], map), map.channels, map.grid));
    const hidden = Float32Array.from(maps.flatMap((map) => [...map]));
    // As the cache will give them, so that a later run, which finds them there, computes the same.
    const kept = {
      embedding: await this.#cache.set(`${key}-embedding`, embedding),
      hidden: await this.#cache.set(`${key}-hidden`, hidden),
    };
    return kept[what];
  }

  /** sha256 of what the teacher sees and of the encoder. */
  #keyOf({ image, space }: Frame): string {
    const { name, dimension } = this.manifest;
    if (space.length !== dimension) throw new RangeError(`${name} was shown an image of [${space}]`);
    const known = this.#keys.get(image);
    if (known) return known;
    const bytes = new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
    const key = createHash('sha256').update(this.#sha256).update(space.join(' ')).update(bytes).digest('hex');
    this.#keys.set(image, key);
    return key;
  }
}

function shaped(values: ArrayLike<number>, shape: readonly number[]): ShapedArray {
  return { data: values instanceof Float32Array ? values : Float32Array.from(values), shape };
}

/**
 * A prompt as SAM's decoders take it, on an input that is `scale` times as large. A box: its corners (x, y), labels 2 and 3.
 * A click: one point along the axes of the input, label 1; the decoder adds the half that leads to the voxel's middle.
 */
function pointsOf(prompt: Prompt, scale: number): { readonly coordinates: number[]; readonly labels: number[] } {
  if ('slice' in prompt) {
    const { slice, row, column } = prompt;
    return { coordinates: [slice, row, column].map((place) => (place + 0.5) * scale - 0.5), labels: [1] };
  }
  const { left, top, right, bottom } = prompt;
  return { coordinates: [left, top, right + 1, bottom + 1].map((edge) => edge * scale), labels: [2, 3] };
}

function checkedMap(values: Float32Array | undefined, map: FeatureMap): Float32Array {
  const size = map.grid.reduce((product, side) => product * side, map.channels);
  if (values?.length === size) return values;
  throw new AppError(
    'teacher-invalid',
    `Value ${map.output} of the teacher holds ${values?.length ?? 0} numbers, its manifest says ${size}.`,
  );
}

function checkFit(manifest: TeacherManifest, { encoder, decoder }: TeacherGraphs): void {
  const { name, dimension, prompt } = manifest;
  if (prompt !== (dimension === 2 ? 'box' : 'click')) {
    throw new AppError(
      'teacher-invalid',
      `${name} wants ${prompt} prompts in ${dimension}D; only boxes in 2D and clicks in 3D are built.`,
    );
  }
  const { inputs } = manifest.decoder;
  const wanted = [
    [encoder.inputNames, [manifest.encoder.input]],
    [encoder.outputNames, [manifest.encoder.embedding, ...manifest.encoder.hidden].map((map) => map.output)],
    [decoder.inputNames, Object.values(inputs)],
    [decoder.outputNames, [manifest.decoder.mask, manifest.decoder.semantic].flatMap((map) => map?.output ?? [])],
  ] as const;
  for (const [names, needed] of wanted) {
    const missing = needed.find((name) => name !== undefined && !names.includes(name));
    if (missing === undefined) continue;
    throw new AppError(
      'teacher-invalid',
      `The graphs of ${name} have no value "${missing}"; they have ${names.join(', ')}.`,
    );
  }
}
