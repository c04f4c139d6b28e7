import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import codecs from 'dcmjs-codecs';
import { assembleSeries } from '../../../server/src/study/assemble.ts';
import type { VoxelArray } from '../../../server/src/volume/volume.ts';
import { makeSeries, type SeriesOptions } from '../../fixtures/make-series.ts';
import { refuses } from '../../fixtures/refuses.ts';
import { phantom } from './phantom.ts';

const maxVoxels = 1e6;
const source = phantom(4);
const read = (options: SeriesOptions) => assembleSeries(makeSeries(source, options).files, { maxVoxels });

/** Voxels of slice k of the source. */
const slice = (k: number): Int16Array => (source.data as Int16Array).slice(k * 120, (k + 1) * 120);

const longer = (values: Int16Array, extra: number): ArrayBuffer => {
  const bytes = new Uint8Array(values.byteLength + extra).fill(0x5a);
  bytes.set(new Uint8Array(values.buffer));
  return bytes.buffer;
};

test('surplus bytes after the pixels are ignored with one note, one byte short is refused (S4)', async () => {
  for (const extra of [2, 64, 4096]) {
    const series = await read({ attributes: (k) => ({ PixelData: longer(slice(k), extra) }) });
    assert.deepEqual(series.volume.data, source.data);
    assert.deepEqual(series.notes, ['Surplus bytes after the pixels of 4 instances are ignored.']);
  }
  const short = (k: number) => (k === 1 ? { PixelData: slice(k).buffer.slice(0, -2) } : {});
  await refuses(read({ attributes: short }), 'instance-unreadable', /^Instance 3 has 238 bytes of pixels where 240/);
});

test('8-bit pixels of an odd count carry a pad byte without a note (S4)', async () => {
  const odd = { rows: 9, columns: 11 };
  const pixels = (k: number): Uint8Array => Uint8Array.from({ length: 99 }, (_, n) => (n * 5 + k) % 256);
  const series = await read({
    attributes: (k) => ({
      Rows: odd.rows,
      Columns: odd.columns,
      BitsAllocated: 8,
      BitsStored: 8,
      HighBit: 7,
      PixelRepresentation: 0,
      PixelData: pixels(k).buffer,
    }),
  });
  assert.deepEqual([...series.volume.data.subarray(99, 198)], [...pixels(1)]);
  assert.deepEqual(series.notes, []);
});

test('bits above HighBit are masked and the sign of 12 bits is extended', async () => {
  const overlay = (k: number): ArrayBuffer => slice(k).map((v) => (v & 0x0fff) | 0xa000).buffer as ArrayBuffer;
  const signed = await read({ attributes: (k) => ({ BitsStored: 12, HighBit: 11, PixelData: overlay(k) }) });
  assert.deepEqual(signed.volume.data, source.data);
  const unsigned = await read({
    attributes: (k) => ({ BitsStored: 12, HighBit: 11, PixelRepresentation: 0, PixelData: overlay(k) }),
  });
  assert.deepEqual(
    [...unsigned.volume.data],
    [...source.data].map((v) => v & 0x0fff),
  );
  const shifted = (k: number): ArrayBuffer => slice(k).map((v) => (v << 4) | 0x5).buffer as ArrayBuffer;
  const high = await read({ attributes: (k) => ({ BitsStored: 12, HighBit: 15, PixelData: shifted(k) }) });
  assert.deepEqual(high.volume.data, source.data);
});

test('implicit and deflated transfer syntaxes hold the same voxels', async () => {
  assert.deepEqual((await read({ transferSyntaxUid: '1.2.840.10008.1.2' })).volume.data, source.data);
  const deflated = makeSeries(source, { transferSyntaxUid: '1.2.840.10008.1.2.1.99' }).files.map((file) => {
    // dcmjs writes the data set uncompressed; the group length of the file meta says where it starts.
    const start = 144 + new DataView(file.buffer, file.byteOffset).getUint32(140, true);
    return new Uint8Array(Buffer.concat([file.subarray(0, start), deflateRawSync(file.subarray(start))]));
  });
  assert.deepEqual((await assembleSeries(deflated, { maxVoxels })).volume.data, source.data);
});

test('a deflated file that inflates beyond any image is refused', async () => {
  const [file] = makeSeries(source, { transferSyntaxUid: '1.2.840.10008.1.2.1.99' }).files;
  const start = 144 + new DataView(file!.buffer, file!.byteOffset).getUint32(140, true);
  const bomb = Buffer.concat([file!.subarray(0, start), deflateRawSync(Buffer.alloc(513 * 2 ** 20), { level: 1 })]);
  await refuses(assembleSeries([new Uint8Array(bomb)], { maxVoxels }), 'instance-unreadable', /cut off or damaged/);
});

const { Context, NativeCodecs } = codecs;

interface Form {
  readonly uid: string;
  readonly encode: 'encodeRle' | 'encodeJpeg' | 'encodeJpegLs' | 'encodeJpeg2000' | 'encodeHtJpeg2000';
  readonly options?: Readonly<Record<string, number | boolean>>;
}

const forms: readonly Form[] = [
  { uid: '1.2.840.10008.1.2.5', encode: 'encodeRle' },
  { uid: '1.2.840.10008.1.2.4.70', encode: 'encodeJpeg', options: { lossy: false, predictor: 1 } },
  { uid: '1.2.840.10008.1.2.4.80', encode: 'encodeJpegLs', options: { lossy: false } },
  { uid: '1.2.840.10008.1.2.4.90', encode: 'encodeJpeg2000', options: { lossy: false } },
  { uid: '1.2.840.10008.1.2.4.201', encode: 'encodeHtJpeg2000', options: { lossy: false } },
];

async function encode(form: Form, k: number, pixelRepresentation = 1): Promise<Uint8Array> {
  if (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
  const context = new Context({
    width: 12,
    height: 10,
    bitsAllocated: 16,
    bitsStored: 16,
    samplesPerPixel: 1,
    pixelRepresentation,
    planarConfiguration: 0,
    photometricInterpretation: 'MONOCHROME2',
    decodedBuffer: new Uint8Array(slice(k).buffer),
  });
  return Uint8Array.from(NativeCodecs[form.encode](context, form.options ?? {}).getEncodedBuffer() ?? []);
}

const compressed = async (form: Form, change = (bytes: Uint8Array, _k: number): Uint8Array => bytes) => {
  const frames: Uint8Array[] = [];
  for (let k = 0; k < 4; k++) frames.push(change(await encode(form, k), k));
  return {
    transferSyntaxUid: form.uid,
    attributes: (k: number) => ({ PixelData: [Uint8Array.from(frames[k]!).buffer] }),
  };
};

for (const form of forms) {
  test(`${form.uid} holds the same voxels, also with a pad byte after the frame (S4)`, async () => {
    const padded = await compressed(form, (bytes, k) => (k < 2 ? bytes : Uint8Array.from([...bytes, 0, 0])));
    assert.deepEqual((await read(padded)).volume.data, source.data);
  });
}

test('a compressed frame without its end marker is refused by number', async () => {
  for (const form of forms.slice(1)) {
    const cut = await compressed(form, (bytes, k) => (k === 0 ? bytes.subarray(0, bytes.length - 8) : bytes));
    await refuses(read(cut), 'instance-unreadable', /^Instance 4 has a frame without its end marker/);
  }
});

test('a damaged frame is refused, and the next series decodes', async () => {
  const [, , jpegLs] = forms;
  const damaged = await compressed(jpegLs!, (bytes, k) =>
    k === 1 ? bytes.map((v, n) => (n > 8 && n < 40 ? ~v : v)) : bytes,
  );
  await refuses(read(damaged), 'instance-unreadable', /^Instance 3 has a frame that does not decode/);
  assert.deepEqual((await read(await compressed(jpegLs!))).volume.data, source.data);
});

test('JPEG 2000 with another sign than PixelRepresentation is read by its codestream', async () => {
  const form = forms[3]!;
  const frames = await Promise.all([0, 1, 2, 3].map((k) => encode(form, k, 0)));
  const attributes = (k: number) => ({ PixelData: [Uint8Array.from(frames[k]!).buffer] });
  assert.deepEqual((await read({ transferSyntaxUid: form.uid, attributes })).volume.data, source.data);
  const unsigned = await compressed(form);
  const contradiction = {
    ...unsigned,
    attributes: (k: number) => ({ ...unsigned.attributes(k), PixelRepresentation: 0 }),
  };
  await refuses(read(contradiction), 'instance-unreadable', /negative pixels/);
});

test('an unknown compression is named', async () => {
  const unknown = {
    transferSyntaxUid: '1.2.840.10008.1.2.4.100',
    attributes: () => ({ PixelData: [new ArrayBuffer(8)] }),
  };
  await refuses(read(unknown), 'transfer-syntax-unsupported', /1\.2\.840\.10008\.1\.2\.4\.100/);
});

/** Largest difference between two volumes. */
const farthest = (a: VoxelArray, b: VoxelArray): number =>
  [...a].reduce((most, value, n) => Math.max(most, Math.abs(value - b[n]!)), 0);

test('slope and intercept are taken per slice and the type from all slices (S5)', async () => {
  const slopes = [1, 0.37, 2.9, 1.5];
  const varied = await read({ rescale: (k) => ({ slope: slopes[k]!, intercept: -100 * k }) });
  assert.ok(varied.volume.data instanceof Float32Array);
  assert.ok(farthest(varied.volume.data, source.data) <= 2.9 / 2 + 1e-3);
  const whole = await read({ rescale: () => ({ slope: 1, intercept: -1024 }) });
  assert.ok(whole.volume.data instanceof Int16Array);
  assert.deepEqual(whole.volume.data, source.data);
});

test('slopes near 1e-8 in exponent form are exact (S5)', async () => {
  const text = ['1.0e-08', '1.5E-8', '+2.00e-008', '1.25e-08'];
  const series = await read({ attributes: (k) => ({ RescaleSlope: text[k], RescaleIntercept: '0' }) });
  const expected = Float32Array.from(source.data, (v, n) => v * Number(text[Math.floor(n / 120)]));
  assert.deepEqual(series.volume.data, expected);
});

test('a decimal comma, a word and a slope of zero are refused with the value seen', async () => {
  const wrong = (attributes: Record<string, string | string[]>) =>
    read({ attributes: (k) => (k === 0 ? attributes : {}) });
  await refuses(
    wrong({ PixelSpacing: ['0,5', '0,5'] }),
    'instance-unreadable',
    /^Instance 4 has PixelSpacing "0,5\\0,5"/,
  );
  await refuses(wrong({ RescaleSlope: 'NaN', RescaleIntercept: '0' }), 'instance-unreadable', /RescaleSlope "NaN"/);
  await refuses(wrong({ RescaleSlope: '0', RescaleIntercept: '0' }), 'instance-unreadable', /RescaleSlope 0/);
  await refuses(wrong({ PixelSpacing: ['0', '1'] }), 'instance-unreadable', /PixelSpacing 0\\1 mm/);
});

test('a gain beyond float32 is refused, not turned into infinity (S13)', async () => {
  const attributes = (k: number) => (k === 2 ? { RescaleSlope: '1e37', RescaleIntercept: '0' } : {});
  await refuses(read({ attributes }), 'instance-unreadable', /^Instance 2 leaves the range of numbers/);
});

/** The stored values of slice k with the four corners and the first row set to a value. */
const framed = (k: number, value: number): ArrayBuffer => {
  const values = slice(k).map((v) => Math.abs(v));
  values.fill(value, 0, 12);
  for (const at of [108, 119]) values[at] = value;
  return values.buffer as ArrayBuffer;
};
const paddedVoxels = 4 * 14;
const count = (padding: Uint8Array | undefined): number => padding?.reduce((sum, v) => sum + v, 0) ?? 0;

test('the padding value, its range, and an undeclared one are marked and replaced (S8)', async () => {
  const declared = { PixelPaddingValue: -2000 };
  const forms8: readonly (readonly [number, SeriesOptions['modality'], Record<string, number>])[] = [
    [-2000, 'MR', declared],
    [-2000, 'CT', declared],
    [-1990, 'CT', { PixelPaddingValue: -2000, PixelPaddingRangeLimit: -1900 }],
    [-1990, 'CT', { PixelPaddingValue: -1900, PixelPaddingRangeLimit: -2000 }],
    [-2000, 'CT', {}],
    [-2000, 'MR', {}],
  ];
  for (const [value, modality = 'MR', attributes] of forms8) {
    const series = await read({ modality, attributes: (k) => ({ ...attributes, PixelData: framed(k, value) }) });
    assert.equal(count(series.volume.padding), paddedVoxels, JSON.stringify(attributes));
    assert.ok(series.volume.data.every((v) => v >= 0));
    assert.equal(series.notes.length, 'PixelPaddingValue' in attributes ? 0 : 1);
  }
});

test('a padding value that BitsStored cannot hold is found in the allocated bits (S8)', async () => {
  const series = await read({
    attributes: (k) => ({ BitsStored: 12, HighBit: 11, PixelPaddingValue: -32768, PixelData: framed(k, -32768) }),
  });
  assert.equal(count(series.volume.padding), paddedVoxels);
});

test('air in a CT and zero in an MR are not taken for padding (S8)', async () => {
  for (const [modality, value] of [
    ['CT', -1024],
    ['MR', 0],
  ] as const) {
    const series = await read({ modality, attributes: (k) => ({ PixelData: framed(k, value) }) });
    assert.equal(series.volume.padding, undefined);
  }
});

test('a constant series is refused by name, a single bright voxel is enough (S13)', async () => {
  const flat = (bright: number) => (k: number) => {
    const values = new Int16Array(120);
    if (k === 1) values[60] = bright;
    return { PixelData: values.buffer };
  };
  await refuses(read({ attributes: flat(0) }), 'series-no-contrast', /holds the value 0/);
  const series = await read({ attributes: flat(900) });
  assert.equal(
    [...series.volume.data].reduce((sum, v) => sum + v, 0),
    900,
  );
});
