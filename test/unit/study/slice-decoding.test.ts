import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import codecs from 'dcmjs-codecs';
import { assembleSeries, type SeriesFiles } from '../../../server/src/study/assemble.ts';
import { createGeometry } from '../../../server/src/volume/geometry.ts';
import { createVolume } from '../../../server/src/volume/volume.ts';
import { makeSeries, type SliceAttributes } from '../../fixtures/make-series.ts';
import { refuses } from '../../fixtures/refuses.ts';

const { Context, NativeCodecs } = codecs;
const mib = 2 ** 20;
const size = [256, 256, 96] as const;
const pixels = size[0] * size[1];
const volume = createVolume(
  Int16Array.from({ length: pixels * size[2] }, (_, n) => ((n * 7919) % 1201) - 600 + Math.floor(n / pixels)),
  createGeometry({
    size,
    spacingMm: [1, 1, 2],
    origin: [0, 0, 0],
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  }),
);

async function rleOf(k: number): Promise<SliceAttributes> {
  await NativeCodecs.initializeAsync({ logCodecsInfo: false, logCodecsTrace: false });
  const context = new Context({
    ...{ width: size[0], height: size[1], bitsAllocated: 16, bitsStored: 16, samplesPerPixel: 1 },
    ...{ pixelRepresentation: 1, planarConfiguration: 0, photometricInterpretation: 'MONOCHROME2' },
    decodedBuffer: new Uint8Array((volume.data as Int16Array).slice(k * pixels, (k + 1) * pixels).buffer),
  });
  return { PixelData: [Uint8Array.from(NativeCodecs.encodeRle(context, {}).getEncodedBuffer() ?? []).buffer] };
}

const rle = await Promise.all(Array.from({ length: size[2] }, (_, k) => rleOf(k)));
const forms = [
  { name: 'native', options: {} },
  { name: 'RLE', options: { transferSyntaxUid: '1.2.840.10008.1.2.5', attributes: (k: number) => rle[k] ?? {} } },
];

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of all buffers that something still refers to. */
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** The files one after another in the same memory; `look` is called when the next one is asked for. */
function inOneBuffer(files: readonly Uint8Array[], look: () => void = () => {}): SeriesFiles {
  const memory = new Uint8Array(Math.max(...files.map(({ length }) => length)));
  return {
    length: files.length,
    isDistinct: true,
    async *[Symbol.asyncIterator]() {
      for (const file of files) {
        look();
        memory.fill(0xa5).set(file);
        yield memory.subarray(0, file.length);
      }
    },
  };
}

/** Slices in an order that is neither that of the volume nor its reverse. */
const mixed = <T>(values: readonly T[]): T[] => values.map((_, n) => values[(n * 35) % values.length]!);

for (const { name, options } of forms) {
  test(`${name} files are let go of when the next one is asked for, and the volume is in memory once`, async () => {
    const files = mixed(makeSeries(volume, options).files);
    const before = heldBytes();
    let most = 0;
    const look = () => {
      most = Math.max(most, heldBytes() - before);
    };
    // Also while the last frames are decoded and put in order.
    const looking = setInterval(look, 1);
    const series = await assembleSeries(inOneBuffer(files, look), { maxVoxels: 1e8 });
    clearInterval(looking);
    assert.deepEqual(series.volume.data, volume.data);
    // The files are 12 MiB, or 9 MiB by RLE. Beside the volume there may be frames in work, and headers.
    const limit = volume.data.byteLength + 4 * mib;
    assert.ok(most <= limit, `${(most / mib).toFixed(1)} MiB of buffers, at most ${(limit / mib).toFixed(1)}`);
  });
}

test('slices that are rescaled in their place come out as those that are copied', async () => {
  const rescale = () => ({ slope: 1, intercept: -1024 });
  const { files } = makeSeries(volume, { rescale });
  const again = files.slice(0, 1);
  // With a copy among the files there is more room than slices, so that the volume is a copy of it.
  const copied = await assembleSeries([...files, ...again], { maxVoxels: 1e8 });
  const inPlace = await assembleSeries(inOneBuffer(mixed(files)), { maxVoxels: 1e8 });
  assert.deepEqual(inPlace.volume.data, copied.volume.data);
  assert.deepEqual(inPlace.volume.data, volume.data);
});

test('a frame that does not decode is named, although the files behind it are gone', async () => {
  const damaged = (k: number): SliceAttributes => (k === 5 ? { PixelData: [new ArrayBuffer(80)] } : (rle[k] ?? {}));
  const { files } = makeSeries(volume, { transferSyntaxUid: '1.2.840.10008.1.2.5', attributes: damaged });
  const work = assembleSeries(inOneBuffer(files), { maxVoxels: 1e8 });
  await refuses(work, 'instance-unreadable', /^Instance 91 has a frame that does not decode/);
});
