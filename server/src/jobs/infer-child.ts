/** Entry of the inference process: one series a task. It alone loads the network of the server. */
import { openOnce } from '../engine/candidates.ts';
import { packEnvelope } from '../labelmap/envelope.ts';
import type { ModelVersion } from '../registry/registry.ts';
import { openBlobStore } from '../store/blobs.ts';
import type { PredictionResult } from '../store/inferences.ts';
import { packDoubt } from '../student/doubt.ts';
import { createPacs, type PacsOptions } from '../study/dicomweb.ts';
import type { RetrieveProgress } from '../study/retrieve.ts';
import { readSeriesFromPacs } from '../study/series.ts';
import { sliceId } from '../study/source-series.ts';
import type { VolumeAddress } from '../study/volume-address.ts';
import { pacsMeter, serveTasks } from './child-side.ts';
import { createSegmenter, type InferStage } from './segmenter.ts';

/** What the process needs for its whole life. */
export interface InferSetUp {
  readonly pacs: PacsOptions;
  readonly maxVoxels: number;
  readonly blobFolder: string;
  readonly threads: number;
  /** Setting `engine`. */
  readonly engine: string;
}

export interface InferTask extends VolumeAddress {
  readonly model: ModelVersion;
}

export interface InferProgress {
  readonly stage: InferStage;
  /** Of the whole task, 0..100. */
  readonly percent: number;
}

export interface InferResult {
  /** Blob of the gzip envelope. */
  readonly labelmapSha256: string;
  /** Of {@link packDoubt}. */
  readonly uncertaintySha256: string;
  readonly result: PredictionResult;
}

/** Where each stage begins and ends in the whole, percent: measured shares on 181 slices of 256 x 256. */
const spans: Readonly<Record<InferStage, readonly [number, number]>> = {
  retrieve: [0, 15],
  decode: [15, 20],
  resample: [20, 25],
  segment: [25, 90],
  decide: [90, 97],
  save: [97, 100],
};

serveTasks<InferSetUp, InferTask, InferProgress, InferResult>((setUp, note) => {
  const pacs = createPacs({ ...setUp.pacs, meter: pacsMeter });
  const segmenter = createSegmenter(openOnce(setUp.engine, setUp, note));
  return async (task, report) => {
    const show = (stage: InferStage, percent: number) => {
      const [from, to] = spans[stage];
      report({ stage, percent: from + ((to - from) * percent) / 100 });
    };
    const started = performance.now();
    show('retrieve', 0);
    let retrievedAt = started;
    const onProgress = ({ instances, expected }: RetrieveProgress) => {
      retrievedAt = performance.now();
      if (instances < expected) show('retrieve', (100 * instances) / expected);
      else show('decode', 0);
    };
    const series = await readSeriesFromPacs(pacs, task, { maxVoxels: setUp.maxVoxels, onProgress });
    const decodeMs = performance.now() - retrievedAt;
    const { geometry } = series.volume;
    const [columns, rows] = geometry.size;
    const head = { columns, rows, slices: series.instances.map(sliceId) };
    const blobs = await openBlobStore(setUp.blobFolder);
    // Packed on threads while this one goes on; a fault is met at the end, unless segmenting meets another first.
    const keep = (packed: Promise<Uint8Array>): Promise<string> => {
      const kept = packed.then(blobs.put);
      kept.catch(() => undefined);
      return kept;
    };
    const kept: { labelmap?: Promise<string>; uncertainty?: Promise<string> } = {};
    const { result } = await segmenter.segment(series, task.model, {
      onProgress: show,
      onDoubt(doubt) {
        kept.uncertainty = keep(packDoubt(doubt, geometry, head));
      },
      onLabelmap({ data }) {
        kept.labelmap = keep(packEnvelope(head, data));
      },
    });
    show('save', 0);
    const saveStarted = performance.now();
    if (!kept.labelmap || !kept.uncertainty) throw new TypeError('nothing was heard of mask or doubt');
    const [labelmapSha256, uncertaintySha256] = await Promise.all([kept.labelmap, kept.uncertainty]);
    const timingsMs = {
      retrieve: Math.round(retrievedAt - started),
      decode: Math.round(decodeMs),
      ...result.timingsMs,
      save: Math.round(performance.now() - saveStarted),
    };
    return { labelmapSha256, uncertaintySha256, result: { ...result, timingsMs } };
  };
});
