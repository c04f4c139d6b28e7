import { gzipSync } from 'node:zlib';
import { evenLabelmap } from './even-labelmap.ts';
import type { Labelmap } from './labelmap.ts';

/**
 * A labelmap as an NRRD file of bytes, with the keys by which 3D Slicer takes it for a segmentation: names, colours and values
 * of the segments. The grid may lean; one that is not even is made so.
 */
export function writeNrrd(labelmap: Labelmap): Uint8Array {
  const { data, geometry, segments } = evenLabelmap(labelmap);
  const { size, spacingMm, direction, origin } = geometry;
  const vector = (values: readonly number[]) => `(${values.join(',')})`;
  const steps = direction.map((axis, n) => vector(axis.map((value) => value * (spacingMm[n] ?? Number.NaN))));
  const extent = size.flatMap((count) => [0, count - 1]).join(' ');
  const keys = segments.flatMap(({ number, label, colour }, n): (readonly [string, string])[] => [
    [`Segment${n}_ID`, `Segment_${number}`],
    [`Segment${n}_Name`, label],
    [`Segment${n}_LabelValue`, String(number)],
    [`Segment${n}_Layer`, '0'],
    [`Segment${n}_Color`, colour.map((value) => (value / 255).toFixed(6)).join(' ')],
    [`Segment${n}_Extent`, extent],
  ]);
  const header = [
    'NRRD0005',
    '# AI-generated, research use only, not for diagnosis',
    'type: uint8',
    'dimension: 3',
    'space: left-posterior-superior',
    `sizes: ${size.join(' ')}`,
    `space directions: ${steps.join(' ')}`,
    'kinds: domain domain domain',
    'encoding: gzip',
    `space origin: ${vector(origin)}`,
    ...keys.map(([name, value]) => `${name}:=${value}`),
    'Segmentation_ContainedRepresentationNames:=Binary labelmap|',
    'Segmentation_MasterRepresentation:=Binary labelmap',
  ];
  return Buffer.concat([Buffer.from(`${header.join('\n')}\n\n`), gzipSync(data)]);
}
