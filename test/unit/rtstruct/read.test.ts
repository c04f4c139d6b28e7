import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { drawRegions } from '../../../server/src/rtstruct/draw.ts';
import { readRtStruct } from '../../../server/src/rtstruct/read.ts';
import { makeRtStruct } from '../../fixtures/make-rtstruct.ts';
import { siteGeometry } from '../../fixtures/make-site.ts';
import { tiny } from '../../fixtures/tiny-seg.ts';

const uids = { studyInstanceUid: '2.25.1', seriesInstanceUid: '2.25.2', frameOfReferenceUid: '2.25.3' };
const corners = [
  [2, 2],
  [9, 2],
  [9, 9],
] as const;
const regions = [
  { number: 7, name: 'Großhirn', algorithmType: 'SEMIAUTOMATIC', code: '12738006', contours: [{ slice: 1, corners }] },
  { number: 3, name: 'leer', contours: [] },
];

const isRefusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === code && message.test(error.message);

test('regions come with name, code, algorithm and contours, whichever order their sequences have', () => {
  const read = readRtStruct(makeRtStruct(siteGeometry, uids, regions));
  assert.deepEqual(read.referencedSeries, ['2.25.2']);
  assert.deepEqual(
    read.regions.map(({ number, label, algorithmType, type, frameOfReferenceUid, contours }) => [
      ...[number, label, algorithmType, type?.value, frameOfReferenceUid, contours.length],
    ]),
    [
      [7, 'Großhirn', 'SEMIAUTOMATIC', '12738006', '2.25.3', 1],
      [3, 'leer', 'MANUAL', undefined, '2.25.3', 0],
    ],
  );
  assert.deepEqual([...(read.regions[0]?.contours[0]?.points ?? [])].slice(0, 3), [-35, -35, -18]);
});

test('what is no RTSTRUCT or lacks what it must have is refused with the reason', () => {
  const file = (changes: Readonly<Record<string, unknown>>) => makeRtStruct(siteGeometry, uids, regions, changes);
  for (const [bytes, message] of [
    [tiny({}), /no RT Structure Set/],
    [file({ StructureSetROISequence: [] }), /no StructureSetROISequence/],
    [file({ StructureSetROISequence: [{ ROINumber: 7 }, { ROINumber: 7 }] }), /two regions one number/],
    [contour({ ContourData: ['1', '2', '3', '4'] }), /Contour 1 of region 7 .* not 9 decimal numbers/],
    [contour({ ContourData: ['1,5', ...Array(8).fill('0')] }), /not 9 decimal numbers/],
    [contour({ ContourGeometricType: undefined }), /no ContourGeometricType/],
  ] as const)
    assert.throws(() => readRtStruct(bytes), isRefusal('instance-unreadable', message));
});

function contour(changes: Readonly<Record<string, unknown>>): Uint8Array {
  const whole = {
    ContourGeometricType: 'CLOSED_PLANAR',
    NumberOfContourPoints: 3,
    ContourData: Array(9).fill('0'),
    ...changes,
  };
  const defined = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
  return makeRtStruct(siteGeometry, uids, regions, {
    ROIContourSequence: [{ ReferencedROINumber: 7, ContourSequence: [defined] }],
  });
}

test('bytes changed at random give regions or a reason, never another fault', () => {
  const bytes = makeRtStruct(siteGeometry, uids, regions);
  const random = Random.for(4, 'rtstruct noise');
  let refused = 0;
  for (let n = 0; n < 3000; n++) {
    const changed = bytes.slice(0, n % 3 === 0 ? random.int(bytes.length) : bytes.length);
    for (let k = 0; k < 3 && changed.length > 133; k++)
      changed[132 + random.int(changed.length - 132)] = random.int(256);
    try {
      drawRegions(readRtStruct(changed), { classes: new Map([[7, 1]]), image: siteGeometry, resample: n % 2 === 0 });
    } catch (error) {
      assert.ok(error instanceof AppError, `${n}: ${error instanceof Error ? error.stack : error}`);
      refused++;
    }
  }
  assert.ok(refused > 500, `${refused} refused`);
});
