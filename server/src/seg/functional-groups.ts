import type { SourceSeries } from '../study/source-series.ts';
import { type Geometry, indexToPatient, sliceStepMm } from '../volume/geometry.ts';
import { codeItem, codes } from './codes.ts';
import type { DataSet } from './encode.ts';
import type { SegType } from './encoding.ts';
import type { SegFrame } from './pack.ts';
import { decimalString } from './part10.ts';
import { referToFrame } from './provenance.ts';

/**
 * Frames are found by segment number, then by position in the patient (PS3.3 C.7.6.17); those of a LABELMAP by position
 * alone. Pointers are attribute tags.
 */
export function dimensionIndex(organizationUid: string, type: SegType): readonly DataSet[] {
  const row = (pointer: string, group: string, label: string) => ({
    DimensionOrganizationUID: organizationUid,
    DimensionIndexPointer: pointer,
    FunctionalGroupPointer: group,
    DimensionDescriptionLabel: label,
  });
  const segment = row('0062000B', '0062000A', 'Segment Number');
  const position = row('00200032', '00209113', 'Image Position Patient');
  return type === 'LABELMAP' ? [position] : [segment, position];
}

/** Orientation, pixel size and distance of slices (PS3.3 C.7.6.16.2). */
export function sharedGroups(geometry: Geometry): DataSet {
  const [column, row] = geometry.spacingMm;
  const slice = sliceStepMm(geometry);
  const [alongRow, alongColumn] = geometry.direction;
  return {
    PlaneOrientationSequence: [{ ImageOrientationPatient: [...alongRow, ...alongColumn].map(decimalString) }],
    PixelMeasuresSequence: [
      {
        PixelSpacing: [decimalString(row), decimalString(column)],
        SliceThickness: decimalString(slice),
        // Of slices at different gaps there is no such distance (PS3.3 C.7.6.16.2.1).
        ...(geometry.sliceSteps ? {} : { SpacingBetweenSlices: decimalString(slice) }),
      },
    ],
  };
}

/** Where a frame lies, which segment it shows, and the source image that it was derived from. */
export function frameGroups(
  { segmentNumber, slice }: SegFrame,
  geometry: Geometry,
  { instances }: Pick<SourceSeries, 'instances'>,
): DataSet {
  const instance = instances[slice];
  if (!instance) throw new RangeError(`no source instance for slice ${slice}`);
  const isOfSegment = segmentNumber !== undefined;
  return {
    DerivationImageSequence: [
      {
        DerivationCodeSequence: [codeItem(codes.segmentation)],
        SourceImageSequence: [
          {
            ...referToFrame(instance),
            PurposeOfReferenceCodeSequence: [codeItem(codes.sourceImage)],
            SpatialLocationsPreserved: 'YES',
          },
        ],
      },
    ],
    FrameContentSequence: [{ DimensionIndexValues: [...(isOfSegment ? [segmentNumber] : []), slice + 1] }],
    PlanePositionSequence: [{ ImagePositionPatient: indexToPatient(geometry, [0, 0, slice]).map(decimalString) }],
    ...(isOfSegment ? { SegmentIdentificationSequence: [{ ReferencedSegmentNumber: segmentNumber }] } : {}),
  };
}
