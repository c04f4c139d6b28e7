import type { Segment } from '../labelmap/labelmap.ts';
import type { SourceSeries } from '../study/source-series.ts';
import type { ModelReference } from './provenance.ts';
import { deriveUid } from './uid.ts';
import { writeSeg } from './write.ts';

/**
 * What a SEG on a series will have to repair in the attributes that it copies, before there is a mask: a reader who draws
 * on a series of which no object can be made would lose the work.
 *
 * @throws AppError `series-not-writable`: no SEG can be written on the series.
 */
export function foreseeSeg(
  source: SourceSeries,
  model: ModelReference,
  segments: readonly Segment[],
): readonly string[] {
  const { geometry } = source.volume;
  const [, , slices] = geometry.size;
  const uid = deriveUid('foreseen');
  const { notes } = writeSeg({
    ...{ source, model, algorithmType: 'SEMIAUTOMATIC', seriesNumber: 1, createdAt: new Date(0) },
    ...{ sopInstanceUid: uid, seriesInstanceUid: uid, trackingUid: uid },
    // One pixel a slice: what is written of a source does not depend on its pixels.
    labelmap: { data: new Uint8Array(slices), geometry: { ...geometry, size: [1, 1, slices] }, segments },
  });
  return notes;
}
