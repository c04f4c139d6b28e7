import type { DataSet } from './part10.ts';

/** An attribute in which volumes of one series differ; of a frame it lies in a functional group. */
export interface Dividing {
  readonly keyword: string;
  readonly tag: string;
  readonly kind: 'text' | 'double' | 'long';
  readonly group?: string;
}

/**
 * By what volumes are told apart, in the order tried: what the images show first, then when they were made (PS3.3 C.8.3.1,
 * C.8.13.5, C.7.6.16.2.2); numbers and codes, no free text and no time of day. An echo's own number comes behind its
 * time, which says more.
 */
export const dividing: readonly Dividing[] = [
  { keyword: 'EchoTime', tag: 'x00180081', kind: 'text' },
  { keyword: 'EffectiveEchoTime', tag: 'x00189082', kind: 'double', group: 'x00189114' },
  { keyword: 'EchoNumbers', tag: 'x00180086', kind: 'text' },
  { keyword: 'DiffusionBValue', tag: 'x00189087', kind: 'double', group: 'x00189117' },
  { keyword: 'InversionTime', tag: 'x00180082', kind: 'text' },
  { keyword: 'FlipAngle', tag: 'x00181314', kind: 'text' },
  { keyword: 'ImageType', tag: 'x00080008', kind: 'text' },
  { keyword: 'TemporalPositionIdentifier', tag: 'x00200100', kind: 'text' },
  { keyword: 'TemporalPositionIndex', tag: 'x00209128', kind: 'long', group: 'x00209111' },
  { keyword: 'TriggerTime', tag: 'x00181060', kind: 'text' },
  { keyword: 'NominalCardiacTriggerDelayTime', tag: 'x00209153', kind: 'double', group: 'x00189118' },
  { keyword: 'AcquisitionNumber', tag: 'x00200012', kind: 'text' },
];

/** Digits and code strings: what else stands in an attribute may name somebody, and these values stand in messages. */
const plain = /^[\w.+\\ -]{1,64}$/;

/** The attribute of an image: of a frame's functional groups, its own before the shared ones, else of its object; '' where it has none. */
export function dividingValue(
  { dataSet, groups }: { readonly dataSet: DataSet; readonly groups: readonly (DataSet | undefined)[] },
  { tag, kind, group }: Dividing,
): string {
  const items = groups.map((each) => (group === undefined ? undefined : each?.elements[group]?.items?.[0]?.dataSet));
  const holder = [...items, dataSet].find((each) => (each?.elements[tag]?.length ?? 0) > 0);
  const value =
    kind === 'text' ? holder?.string(tag)?.trim() : kind === 'double' ? holder?.double(tag) : holder?.uint32(tag);
  const text = String(value ?? '');
  return plain.test(text) ? text : '';
}
