import type { DataSet } from './part10.ts';

/** An attribute in which volumes of one series differ; of a frame it lies in a functional group. */
interface Dividing {
  readonly keyword: string;
  readonly tag: string;
  readonly kind: 'text' | 'double' | 'long';
  readonly group?: string;
}

/**
 * By what volumes are told apart, in the order tried: what the images show first, then when they were made, none of it a
 * time of day (PS3.3
 * C.8.3.1, C.8.13.5, C.7.6.16.2.2). An echo's own number comes behind its time, which says more.
 */
export const dividing: readonly Dividing[] = [
  { keyword: 'EchoTime', tag: 'x00180081', kind: 'text' },
  { keyword: 'EffectiveEchoTime', tag: 'x00189082', kind: 'double', group: 'x00189114' },
  { keyword: 'EchoNumbers', tag: 'x00180086', kind: 'text' },
  { keyword: 'DiffusionBValue', tag: 'x00189087', kind: 'double', group: 'x00189117' },
  { keyword: 'InversionTime', tag: 'x00180082', kind: 'text' },
  { keyword: 'FlipAngle', tag: 'x00181314', kind: 'text' },
  { keyword: 'ImageType', tag: 'x00080008', kind: 'text' },
  { keyword: 'StackID', tag: 'x00209056', kind: 'text', group: 'x00209111' },
  { keyword: 'TemporalPositionIdentifier', tag: 'x00200100', kind: 'text' },
  { keyword: 'TemporalPositionIndex', tag: 'x00209128', kind: 'long', group: 'x00209111' },
  { keyword: 'TriggerTime', tag: 'x00181060', kind: 'text' },
  { keyword: 'NominalCardiacTriggerDelayTime', tag: 'x00209153', kind: 'double', group: 'x00189118' },
  { keyword: 'AcquisitionNumber', tag: 'x00200012', kind: 'text' },
];

/** Values by keyword, of the attributes that an object has. */
export type DividingValues = Readonly<Record<string, string>>;

/** Of an image: of its object, and of a frame the functional groups, its own before the shared ones. */
export function readDividing(object: DataSet, groups: readonly (DataSet | undefined)[] = []): DividingValues {
  const found = dividing.flatMap(({ keyword, tag, kind, group }) => {
    const items = groups.map((each) => (group === undefined ? undefined : each?.elements[group]?.items?.[0]?.dataSet));
    const holder = [...items, object].find((each) => (each?.elements[tag]?.length ?? 0) > 0);
    const value =
      kind === 'text' ? holder?.string(tag)?.trim() : kind === 'double' ? holder?.double(tag) : holder?.uint32(tag);
    return value === undefined || value === '' ? [] : [[keyword, String(value)]];
  });
  return Object.fromEntries(found);
}
