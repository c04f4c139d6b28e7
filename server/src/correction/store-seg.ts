import { AppError } from '../errors/app-error.ts';
import type { Envelope } from '../labelmap/envelope.ts';
import type { Segment } from '../labelmap/labelmap.ts';
import type { SegEncoding } from '../seg/encoding.ts';
import type { SegRequest } from '../seg/write.ts';
import type { CorrectionRow } from '../store/corrections.ts';
import { type SourceSeries, sliceId } from '../study/source-series.ts';

/** Series number of corrected masks: high, so that they stand below the images in a viewer's list. */
const seriesNumber = 9001;

/** A correction with what else its objects are made of. */
export interface CorrectionMaking {
  readonly correction: CorrectionRow;
  readonly model: { readonly name: string; readonly version: number; readonly sha256: string };
  readonly segments: readonly Segment[];
  /** The reader's labels. */
  readonly envelope: Envelope;
}

/**
 * What the SEG of a correction is written from. It is a function of the correction and its source, so that a repeated
 * export makes the same object under the same UID.
 *
 * @throws AppError `correction-geometry-mismatch`: the series changed in the PACS since.
 */
export function requestSeg(
  { correction, model, segments, envelope }: CorrectionMaking,
  source: SourceSeries,
  encoding: SegEncoding<'BINARY' | 'LABELMAP'>,
): SegRequest {
  const { geometry } = source.volume;
  const data = orderLabels(envelope, source.instances.map(sliceId), geometry.size[0] * geometry.size[1]);
  return {
    source,
    labelmap: { data, geometry, segments },
    model,
    algorithmType: correction.kind === 'accepted' ? 'AUTOMATIC' : 'SEMIAUTOMATIC',
    sopInstanceUid: correction.segSopInstanceUid,
    seriesInstanceUid: correction.segSeriesInstanceUid,
    seriesNumber,
    createdAt: correction.createdAt,
    trackingUid: correction.trackingUid,
    encoding,
  };
}

/**
 * The labels of an envelope in the order of `slices` (see `sliceId`), `[slice, pixel]`.
 *
 * @throws AppError `correction-geometry-mismatch` when the envelope lacks a slice or has another size.
 */
export function orderLabels({ head, labels }: Envelope, slices: readonly string[], pixels: number): Uint8Array {
  const known = (head as { readonly slices: readonly string[] }).slices;
  if (labels.length === slices.length * pixels && slices.every((id, k) => id === known[k])) return labels;
  const position = new Map(known.map((id, k) => [id, k]));
  const ordered = new Uint8Array(slices.length * pixels);
  for (const [k, id] of slices.entries()) {
    const from = position.get(id);
    if (from === undefined || labels.length !== ordered.length) {
      throw new AppError('correction-geometry-mismatch', 'The series has changed in the PACS since it was corrected.', {
        slices: slices.length,
        bytes: labels.length,
      });
    }
    ordered.set(labels.subarray(from * pixels, (from + 1) * pixels), k * pixels);
  }
  return ordered;
}
