import type { Segment } from '../labelmap/labelmap.ts';
import { cieLab, codeItem, codes, lateralities } from './codes.ts';
import type { DataSet } from './encode.ts';
import { describeAlgorithm, type ModelReference, trackSegment } from './provenance.ts';

/** Who made the segments and how they are followed. */
export interface Maker {
  readonly model: ModelReference;
  /** `AUTOMATIC`: untouched model output; `SEMIAUTOMATIC`: a reader edited or vouched for it. */
  readonly algorithmType: 'AUTOMATIC' | 'SEMIAUTOMATIC';
  /** Of the first segment; stays over all corrections of one case. The others' derive from it. */
  readonly trackingUid: string;
}

/** An item of the Segment Sequence (PS3.3 C.8.20.4). */
export function segmentItem(segment: Segment, maker: Maker): DataSet {
  const tracking = trackSegment(segment, maker.trackingUid);
  return {
    SegmentNumber: segment.number,
    SegmentLabel: segment.label.slice(0, 64),
    ...algorithmOf(maker),
    SegmentedPropertyCategoryCodeSequence: [codeItem(segment.category)],
    SegmentedPropertyTypeCodeSequence: [
      {
        ...codeItem(segment.type),
        ...(segment.laterality
          ? { SegmentedPropertyTypeModifierCodeSequence: [codeItem(lateralities[segment.laterality])] }
          : {}),
      },
    ],
    ...(segment.anatomicRegion ? { AnatomicRegionSequence: [codeItem(segment.anatomicRegion)] } : {}),
    TrackingID: tracking.id,
    TrackingUID: tracking.uid,
    RecommendedDisplayCIELabValue: [...cieLab([segment.colour[0], segment.colour[1], segment.colour[2]])],
  };
}

/** What 0 stands for in a LABELMAP, where every pixel value is described. */
export function backgroundItem(maker: Maker): DataSet {
  return {
    SegmentNumber: 0,
    SegmentLabel: 'Background',
    ...algorithmOf(maker),
    SegmentedPropertyCategoryCodeSequence: [codeItem(codes.background)],
    SegmentedPropertyTypeCodeSequence: [codeItem(codes.background)],
  };
}

function algorithmOf({ model, algorithmType }: Maker): DataSet {
  const algorithm = describeAlgorithm(model);
  return {
    SegmentAlgorithmType: algorithmType,
    SegmentAlgorithmName: algorithm.name,
    SegmentationAlgorithmIdentificationSequence: [
      {
        AlgorithmFamilyCodeSequence: [codeItem(codes.artificialIntelligence)],
        AlgorithmName: algorithm.name,
        AlgorithmVersion: algorithm.version,
        AlgorithmParameters: algorithm.parameters,
      },
    ],
  };
}
