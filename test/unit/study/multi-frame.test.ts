import assert from 'node:assert/strict';
import { test } from 'node:test';
import codecs from 'dcmjs-codecs';
import { assembleSeries } from '../../../server/src/study/assemble.ts';
import { sliceId } from '../../../server/src/study/source-series.ts';
import { sameGrid } from '../../../server/src/volume/geometry.ts';
import { type MultiFrameOptions, makeMultiFrame, withoutOffsets } from '../../fixtures/make-multi-frame.ts';
import { makeSeries } from '../../fixtures/make-series.ts';
import { refuses } from '../../fixtures/refuses.ts';
import { phantom } from './phantom.ts';

const maxVoxels = 1e6;
const source = phantom(7);
const pixels = 120;
const read = (files: readonly Uint8Array[]) => assembleSeries(files, { maxVoxels });
const readOne = (options: MultiFrameOptions = {}) => read([makeMultiFrame(source, options).file]);

test('shuffled frames of an enhanced object are the volume of the same slices as single files (S12)', async () => {
  const made = makeMultiFrame(source);
  const series = await read([made.file]);
  const single = await read(makeSeries(source).files);
  assert.deepEqual(series.volume.data, single.volume.data);
  assert.ok(sameGrid(series.volume.geometry, single.volume.geometry, 1e-6));
  assert.deepEqual(
    series.instances.map(sliceId),
    [...source.data.keys()].slice(0, 7).map((k) => `${made.sopInstanceUid}:${made.order.indexOf(k) + 1}`),
  );
});

test('every frame has its own slope and intercept', async () => {
  const rescale = (k: number) => ({ slope: 0.5 + k / 4, intercept: -3 * k });
  const { volume } = await readOne({ modality: 'CT', rescale });
  const most = Math.max(...Array.from(volume.data, (value, n) => Math.abs(value - source.data[n]!)));
  assert.ok(most <= (0.5 + 6 / 4) / 2 + 1e-4, `off by ${most}`);
});

test('a group of the frame goes before the shared one', async () => {
  const groups = (k: number) =>
    k === 4 ? { PixelMeasuresSequence: [{ PixelSpacing: ['9', '9'], SliceThickness: '2.5' }] } : {};
  await refuses(readOne({ groups }), 'series-mixed-geometry', /^Instance 1 frame \d of 7 images: the pixel spacing/);
});

test('parts of a concatenation are one volume, a part that is missing leaves its gap', async () => {
  const uids = { studyInstanceUid: '1.2.3', seriesInstanceUid: '1.2.4', frameOfReferenceUid: '1.2.5' };
  const parts = [
    [4, 0],
    [5, 1, 6],
    [2, 3],
  ].map((order) => makeMultiFrame(source, { order, uids }).file);
  assert.deepEqual((await read(parts)).volume.data, source.data);
  await refuses(read(parts.slice(0, 2)), 'series-missing-slices', /2 missing/);
});

test('a second part with a frame at the same place is dropped when it is the same, else refused', async () => {
  const uids = { studyInstanceUid: '1.2.3', seriesInstanceUid: '1.2.4', frameOfReferenceUid: '1.2.5' };
  const whole = makeMultiFrame(source, { uids }).file;
  const again = makeMultiFrame(source, { uids, order: [3] }).file;
  assert.deepEqual((await read([whole, again])).notes, [
    '1 instances repeat the pixels of another one at the same position and are ignored.',
  ]);
  const other = makeMultiFrame({ ...source, data: source.data.map((value) => value + 1) }, { uids, order: [3] }).file;
  await refuses(read([whole, other]), 'series-duplicate-slices', /frame \d and .*frame 1 both lie at|differ/);
});

const { Context, NativeCodecs } = codecs;
const forms = [
  { uid: '1.2.840.10008.1.2.5', encode: 'encodeRle', options: {} },
  { uid: '1.2.840.10008.1.2.4.70', encode: 'encodeJpeg', options: { lossy: false, predictor: 1 } },
  { uid: '1.2.840.10008.1.2.4.80', encode: 'encodeJpegLs', options: { lossy: false } },
  { uid: '1.2.840.10008.1.2.4.90', encode: 'encodeJpeg2000', options: { lossy: false } },
] as const;

for (const form of forms) {
  test(`compressed frames (${form.uid}) are told apart with and without a table of offsets`, async () => {
    if (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
    const encode = (k: number) => {
      const decodedBuffer = new Uint8Array(source.data.slice(k * pixels, (k + 1) * pixels).buffer);
      const context = new Context({
        ...{ width: 12, height: 10, bitsAllocated: 16, bitsStored: 16, samplesPerPixel: 1, pixelRepresentation: 1 },
        ...{ planarConfiguration: 0, photometricInterpretation: 'MONOCHROME2', decodedBuffer },
      });
      return Uint8Array.from(NativeCodecs[form.encode](context, form.options).getEncodedBuffer() ?? []);
    };
    const { file } = makeMultiFrame(source, { transferSyntaxUid: form.uid, encode });
    for (const bytes of [file, withoutOffsets(file)]) assert.deepEqual((await read([bytes])).volume.data, source.data);
  });
}

test('frames without a description or a place, too few pixels, and kinds without places are refused', async () => {
  await refuses(
    readOne({ attributes: { NumberOfFrames: 8 } }),
    'instance-unreadable',
    /8 frames and descriptions of 7/,
  );
  const noPlace = (k: number) => (k === 2 ? { PlanePositionSequence: undefined } : {});
  await refuses(readOne({ groups: noPlace }), 'instance-unreadable', /frame \d has no PlanePositionSequence/);
  const short = { PixelData: new Int16Array(6 * pixels).buffer };
  await refuses(readOne({ attributes: short }), 'instance-unreadable', /frame 7 has 0 bytes of pixels/);
  const colour = { SOPClassUID: '1.2.840.10008.5.1.4.1.1.4.3', SamplesPerPixel: 3 };
  await refuses(readOne({ attributes: colour }), 'series-not-image', /is in colour/);
  const capture = { SOPClassUID: '1.2.840.10008.5.1.4.1.1.7.3' };
  await refuses(readOne({ attributes: capture }), 'series-not-image', /7 frames, and its kind of object says of none/);
});
