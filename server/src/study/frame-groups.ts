import { Attributes } from './attributes.ts';
import { type DataSet, unreadable } from './part10.ts';

/** What places one frame: attributes of the object itself, or of functional groups. */
export interface FramePlace {
  readonly position: Attributes;
  readonly orientation: Attributes;
  readonly measures: Attributes;
  /** Slope and intercept; undefined where a multi-frame object has none. */
  readonly values: Attributes | undefined;
  /** Functional groups of the frame, then the shared ones. */
  readonly groups?: readonly (DataSet | undefined)[];
}

const sharedGroups = 'x52009229';
const perFrameGroups = 'x52009230';

const planePosition = { tag: 'x00209113', keyword: 'PlanePositionSequence' };
const planeOrientation = { tag: 'x00209116', keyword: 'PlaneOrientationSequence' };
const pixelMeasures = { tag: 'x00289110', keyword: 'PixelMeasuresSequence' };
const pixelValueTransformation = { tag: 'x00289145', keyword: 'PixelValueTransformationSequence' };

/**
 * The places of all frames of a multi-frame object, in the order of its frames. A group of the frame itself goes before the
 * shared one (PS3.3 C.7.6.16).
 *
 * @throws AppError `instance-unreadable`: frames without a description, or without a group that places them.
 */
export function readFramePlaces(dataSet: DataSet, name: string): readonly FramePlace[] {
  const shared = dataSet.elements[sharedGroups]?.items?.[0]?.dataSet;
  const frames = dataSet.elements[perFrameGroups]?.items ?? [];
  const count = frameCount(dataSet);
  if (frames.length !== count) {
    throw unreadable(name, `has ${count} frames and descriptions of ${frames.length}`);
  }
  return frames.map(({ dataSet: own }, n) => {
    const frameName = nameFrame(name, n + 1);
    const find = (tag: string) => firstItem(own, tag) ?? firstItem(shared, tag);
    const need = ({ tag, keyword }: { readonly tag: string; readonly keyword: string }): Attributes => {
      const item = find(tag);
      if (item === undefined) throw unreadable(frameName, `has no ${keyword}`);
      return new Attributes(item, frameName);
    };
    const values = find(pixelValueTransformation.tag);
    return {
      position: need(planePosition),
      orientation: need(planeOrientation),
      measures: need(pixelMeasures),
      values: values && new Attributes(values, frameName),
      groups: [own, shared],
    };
  });
}

/** NumberOfFrames; 1 where it is absent. */
export function frameCount(dataSet: DataSet): number {
  const text = dataSet.string('x00280008')?.trim() ?? '1';
  return /^\d{1,9}$/.test(text) ? Number(text) : 1;
}

/** `Instance 12 frame 3`. */
export function nameFrame(name: string, frameNumber: number): string {
  return `${name} frame ${frameNumber}`;
}

function firstItem(dataSet: DataSet | undefined, tag: string): DataSet | undefined {
  return dataSet?.elements[tag]?.items?.[0]?.dataSet;
}
