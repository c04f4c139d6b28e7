import { createHash } from 'node:crypto';
import type { ForeignGraph, ShapedArray } from '../../engine/foreign-graph.ts';
import { AppError } from '../../errors/app-error.ts';
import { distilledMapsOf } from '../distill.ts';
import type { Box } from '../prompts.ts';
import type { EmbeddingCache } from './embedding-cache.ts';
import { keptSide, poolToKept } from './feature-maps.ts';
import { enlarge, type Frame, readAtPixels } from './framing.ts';
import { absentLogit, type FeatureSource, type GeneralizedTeacher, type SliceToAsk } from './generalized.ts';
import type { FeatureMap, TeacherManifest } from './manifest.ts';

/** The two graphs of a manifest, opened with the inner values that it names. */
export interface TeacherGraphs {
  readonly encoder: ForeignGraph;
  readonly decoder: ForeignGraph;
}

/** Masks kept by slice and box; one of 112 x 112 pixels takes 50 kB. */
const masksKept = 1500;

/**
 * A promptable foundation model (SAM, MedSAM and their kin) as generalized teacher. It sees exactly the pixels that the
 * student sees, enlarged. Frozen: no gradient ever reaches it.
 */
export class PromptableTeacher implements GeneralizedTeacher {
  readonly description: string;
  readonly features: FeatureSource;
  readonly manifest: TeacherManifest;
  readonly #graphs: TeacherGraphs;
  readonly #cache: EmbeddingCache;
  readonly #masks = new Map<string, Float32Array>();
  readonly #keys = new WeakMap<Float32Array, string>();

  /** @throws AppError `teacher-invalid` when a graph lacks an input or output that the manifest names. */
  constructor(manifest: TeacherManifest, graphs: TeacherGraphs, cache: EmbeddingCache) {
    checkFit(manifest, graphs);
    this.manifest = manifest;
    this.description = `Generalized teacher: ${manifest.title}, prompted with boxes round what the specialized teacher found.`;
    this.#graphs = graphs;
    this.#cache = cache;
    const maps = distilledMapsOf(manifest);
    this.features = { maps, hidden: (frame) => this.#hidden(frame), semantic: (slice) => this.#semantic(slice) };
  }

  async prepare(slice: Frame): Promise<void> {
    await this.#encoded(slice, 'embedding');
  }

  async ask(slice: SliceToAsk): Promise<Float32Array | null> {
    if (slice.boxes.every((boxes) => boxes.length === 0)) return null;
    const pixels = slice.height * slice.width;
    const logits = new Float32Array(slice.boxes.length * pixels).fill(absentLogit);
    for (const [index, boxes] of slice.boxes.entries()) {
      const ofClass = logits.subarray(index * pixels, (index + 1) * pixels);
      for (const box of boxes) {
        const mask = await this.#mask(slice, box);
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
    const cells = keptSide * keptSide;
    let end = 0;
    return hidden.map(({ channels }) => {
      end += channels * cells;
      return kept.subarray(end - channels * cells, end);
    });
  }

  async #semantic(slice: SliceToAsk): Promise<Float32Array> {
    const { semantic } = this.manifest.decoder;
    if (!semantic) return new Float32Array();
    const each = semantic.channels * keptSide * keptSide;
    const all = new Float32Array(slice.boxes.length * each);
    for (const [index, [box]] of slice.boxes.entries()) {
      if (!box) continue;
      const { [semantic.output]: map } = await this.#decode(slice, box, [semantic.output]);
      all.set(poolToKept(checkedMap(map, semantic), semantic.channels, semantic.grid[0] ?? 0), index * each);
    }
    return all;
  }

  /** Logits of one box on the slice's pixels, [H,W]. */
  async #mask(slice: Frame, box: Box): Promise<Float32Array> {
    const key = `${this.#keyOf(slice)} ${box.top} ${box.left} ${box.bottom} ${box.right}`;
    const known = this.#masks.get(key);
    if (known) return known;
    const { mask } = this.manifest.decoder;
    const { [mask.output]: logits } = await this.#decode(slice, box, [mask.output]);
    const result = readAtPixels(checkedMap(logits, mask), mask.grid[0] ?? 0, slice);
    this.#masks.set(key, result);
    const oldest = this.#masks.keys().next().value;
    if (this.#masks.size > masksKept && oldest !== undefined) this.#masks.delete(oldest);
    return result;
  }

  async #decode(slice: Frame, box: Box, outputs: readonly string[]) {
    const { encoder, decoder } = this.manifest;
    const embedding = await this.#encoded(slice, 'embedding');
    const scale = (encoder.size[0] ?? 0) / Math.max(slice.height, slice.width);
    const corners = [box.left, box.top, box.right + 1, box.bottom + 1].map((edge) => edge * scale);
    const [rows, columns] = decoder.mask.grid;
    const names = decoder.inputs;
    const inputs: Record<string, ShapedArray> = {
      [names.embedding]: shaped(embedding, [1, encoder.embedding.channels, ...encoder.embedding.grid]),
      [names.points]: shaped(corners, [1, 2, 2]),
      // The labels that stand for the two corners of a box.
      [names.labels]: shaped([2, 3], [1, 2]),
      [names.mask]: shaped(new Float32Array((rows ?? 0) * (columns ?? 0)), [1, 1, rows ?? 0, columns ?? 0]),
      [names.hasMask]: shaped([0], [1]),
    };
    if (names.originalSize) inputs[names.originalSize] = shaped([slice.height, slice.width], [2]);
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
    const maps = encoder.hidden.map((map) =>
      poolToKept(checkedMap(found[map.output], map), map.channels, map.grid[0] ?? 0),
    );
    const hidden = Float32Array.from(maps.flatMap((map) => [...map]));
    await this.#cache.set(`${key}-embedding`, embedding);
    await this.#cache.set(`${key}-hidden`, hidden);
    // As the cache gives it, so that a later run, which finds it there, computes the same.
    return (await this.#cache.get(`${key}-${what}`)) ?? (what === 'embedding' ? embedding : hidden);
  }

  /** sha256 of what the teacher sees and of the encoder. */
  #keyOf({ image, height, width }: Frame): string {
    const known = this.#keys.get(image);
    if (known) return known;
    const bytes = new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
    const key = createHash('sha256')
      .update(this.manifest.encoder.sha256)
      .update(`${height} ${width}`)
      .update(bytes)
      .digest('hex');
    this.#keys.set(image, key);
    return key;
  }
}

function shaped(values: ArrayLike<number>, shape: readonly number[]): ShapedArray {
  return { data: values instanceof Float32Array ? values : Float32Array.from(values), shape };
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
  if (manifest.dimension !== 2 || manifest.prompt !== 'box') {
    throw new AppError(
      'teacher-invalid',
      `${manifest.name} wants ${manifest.prompt} prompts in ${manifest.dimension}D; only boxes in 2D are built.`,
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
      `The graphs of ${manifest.name} have no value "${missing}"; they have ${names.join(', ')}.`,
    );
  }
}
