import { hasEndMarker } from './codestream.ts';
import type { ImageObject } from './image-object.ts';
import { type DataSet, type Element, unreadable, valueBytes } from './part10.ts';

type Fragment = NonNullable<Element['fragments']>[number];

/** Fragments of each frame of an object, found once. */
const known = new WeakMap<DataSet, readonly (readonly Fragment[])[]>();

const extendedOffsetTable = 'x7fe00001';

/**
 * The compressed bytes of an image: the one frame of its object, or one of many (PS3.5 A.4). They lie in the object where
 * they lie there in one piece.
 *
 * @throws AppError `instance-unreadable`: no bytes, or fragments that cannot be told apart by frame.
 */
export function compressedBytes(
  image: Pick<ImageObject, 'dataSet' | 'name' | 'frames' | 'frameNumber'>,
  element: Element,
): Uint8Array {
  const { dataSet, name, frames } = image;
  const groups = known.get(dataSet) ?? groupFragments(dataSet, element, frames);
  known.set(dataSet, groups);
  if (groups.length !== frames) {
    throw unreadable(name, `has compressed data for ${groups.length} of its ${frames} frames`);
  }
  const fragments = groups[(image.frameNumber ?? 1) - 1] ?? [];
  const total = fragments.reduce((sum, fragment) => sum + fragment.length, 0);
  if (total === 0) throw unreadable(name, 'has no compressed frame');
  const [only] = fragments;
  if (fragments.length === 1 && only) return dataSet.byteArray.subarray(only.position, only.position + only.length);
  const joined = new Uint8Array(total);
  let at = 0;
  for (const { position, length } of fragments) {
    joined.set(dataSet.byteArray.subarray(position, position + length), at);
    at += length;
  }
  return joined;
}

/** By the offset tables, else one fragment a frame, else by the end marks of codestreams. */
function groupFragments(dataSet: DataSet, element: Element, frames: number): readonly (readonly Fragment[])[] {
  const fragments = element.fragments ?? [];
  // A single frame may be cut into any number of fragments.
  if (frames === 1) return fragments.length > 0 ? [fragments] : [];
  const offsets = offsetsOf(dataSet, element);
  if (offsets.length > 0) return groupByOffset(fragments, offsets);
  if (fragments.length === frames) return fragments.map((fragment) => [fragment]);
  const groups: Fragment[][] = [];
  let open: Fragment[] = [];
  for (const fragment of fragments) {
    open.push(fragment);
    const { position, length } = fragment;
    if (!hasEndMarker(dataSet.byteArray.subarray(position, position + length))) continue;
    groups.push(open);
    open = [];
  }
  return open.length > 0 ? [...groups, open] : groups;
}

/** Where each frame begins, bytes from the first fragment; none where the object has no table. */
function offsetsOf(dataSet: DataSet, element: Element): readonly number[] {
  const extended = dataSet.elements[extendedOffsetTable];
  if (extended !== undefined && extended.length >= 8) {
    const bytes = valueBytes(dataSet, extended);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length - (bytes.length % 8));
    return Array.from({ length: view.byteLength / 8 }, (_, n) => Number(view.getBigUint64(8 * n, true)));
  }
  return element.basicOffsetTable ?? [];
}

function groupByOffset(fragments: readonly Fragment[], offsets: readonly number[]): readonly (readonly Fragment[])[] {
  return offsets.map((from, n) => {
    const to = offsets[n + 1] ?? Number.POSITIVE_INFINITY;
    return fragments.filter(({ offset }) => offset >= from && offset < to);
  });
}
