import type { Engine, Predictor } from '../engine/ops.ts';
import { fromHalf } from '../engine/vectors.ts';
import { AppError } from '../errors/app-error.ts';
import type { Labelmap } from '../labelmap/labelmap.ts';
import { measureSegments } from '../labelmap/metrics.ts';
import { type ModelVersion, readWeights, requireFit } from '../registry/registry.ts';
import { foreseeSeg } from '../seg/foresee.ts';
import type { PredictionResult, SegmentFigure } from '../store/inferences.ts';
import { studentOf } from '../student/architecture.ts';
import { sampleSpace, samplesPerRun } from '../student/input.ts';
import { isStrange, type SegmentOptions, segmentVolume } from '../student/segment.ts';
import type { SourceSeries } from '../study/source-series.ts';

/** Stages of an inference that are shown, in order. */
export type InferStage = 'retrieve' | 'decode' | 'resample' | 'segment' | 'decide' | 'save';

export interface Segmented {
  readonly labelmap: Labelmap;
  readonly result: PredictionResult;
  /** Of slice k, `[segment][pixel]` float32 on the grid of the labelmap, as the network gave them. */
  readonly probabilitiesOf: (slice: number) => readonly Float32Array[];
}

/** Runs students; keeps the last one compiled. Engines load their runtime, so it belongs in a child process or a command. */
export interface Segmenter {
  /**
   * Segments a series with a version, whose weights are read only after their sha256 was compared.
   * Notes of the result tell what the series needed, and what a SEG on it will need.
   * @throws AppError `series-modality-mismatch`, `series-not-writable`, `model-invalid`, `engine-unavailable`, `engine-failed`, and those of `segmentVolume`.
   */
  segment(
    series: SourceSeries,
    model: ModelVersion,
    options?: {
      readonly onProgress?: (stage: InferStage, percent: number) => void;
      readonly signal?: AbortSignal;
    } & Pick<SegmentOptions, 'onDoubt' | 'onLabelmap'>,
  ): Promise<Segmented>;
  close(): Promise<void>;
}

interface Loaded {
  readonly sha256: string;
  readonly weights: Float32Array;
  readonly predictor: Predictor;
  /** Samples of one run. */
  readonly batch: number;
}

/** @param openEngine asked for the engine when a network is loaded. */
export function createSegmenter(openEngine: () => Promise<Engine>): Segmenter {
  let loaded: Loaded | undefined;
  const load = async (model: ModelVersion): Promise<Loaded> => {
    const { card } = model;
    if (loaded?.sha256 === card.weights.sha256) return loaded;
    await loaded?.predictor.dispose();
    loaded = undefined;
    const weights = fromHalf(await readWeights(model));
    const space = sampleSpace(card.input);
    const batch = samplesPerRun(space);
    const program = studentOf(card.architecture).inferenceProgram(batch, space);
    const engine = await openEngine();
    const predictor = await engine.predictor(program, { frozen: true });
    if (predictor.table.hash !== card.weights.tableHash || predictor.table.size !== weights.length) {
      await predictor.dispose();
      throw new AppError('model-invalid', `The weights of ${card.name}@${card.version} are for another network.`);
    }
    loaded = { sha256: card.weights.sha256, weights, predictor, batch };
    return loaded;
  };
  return {
    async segment(series, model, { onProgress = () => {}, signal, ...hearers } = {}) {
      const { name, version, segments: cardSegments, weights: file } = model.card;
      requireFit(model.card, series);
      const notes = [...series.notes, ...foreseeSeg(series, { name, version, sha256: file.sha256 }, cardSegments)];
      const started = performance.now();
      const { weights, predictor, batch } = await load(model);
      const loadMs = performance.now() - started;
      const predict = (images: Float32Array) => runNetwork(predictor, weights, images);
      const segmented = await segmentVolume(series.volume, model.card, predict, {
        batch,
        onProgress,
        ...hearers,
        ...(signal ? { signal } : {}),
      });
      const { labelmap, probabilitiesOf, uncertainty, uncertaintyBySegment, missingSegments, strangeness } = segmented;
      if (strangeness && isStrange(strangeness)) notes.push(describeStrange(name, strangeness));
      const timingsMs = roundAll({ load: loadMs, ...segmented.timingsMs });
      const segments = measure(labelmap);
      const figures = {
        segments,
        missingSegments,
        isStrange: isStrange(strangeness),
        uncertainty,
        uncertaintyBySegment,
      };
      return { labelmap, probabilitiesOf, result: { ...figures, timingsMs, notes } };
    },
    async close() {
      await loaded?.predictor.dispose();
      loaded = undefined;
    },
  };
}

function describeStrange(
  name: string,
  { distance, most }: { readonly distance: number; readonly most: number },
): string {
  return `Distance of the image from those that ${name} was made for: ${distance.toFixed(1)}, strange beyond ${most.toFixed(1)}.`;
}

async function runNetwork(predictor: Predictor, weights: Float32Array, images: Float32Array) {
  const { probabilities, entropy } = await predictor.run(weights, { image: images }).catch((cause: unknown) => {
    throw new AppError('engine-failed', 'The network stopped with a fault of the runtime.', {}, { cause });
  });
  if (!probabilities || !entropy) throw new TypeError('the network lacks an output');
  return { probabilities, entropy };
}

function measure(labelmap: Labelmap): SegmentFigure[] {
  return measureSegments(labelmap).map(({ number, voxels, ml }, at) => {
    const { label, colour } = labelmap.segments[at]!;
    return { number, label, voxels, ml, colour };
  });
}

function roundAll(timingsMs: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(timingsMs).map(([stage, ms]) => [stage, Math.round(ms * 10) / 10]));
}
