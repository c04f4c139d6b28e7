import { deflateRawSync, gzipSync, inflateRawSync } from 'node:zlib';
import codecs from 'dcmjs-codecs';
import { AppError } from '../../server/src/errors/app-error.ts';
import { encodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import { readNiftiFile } from '../../server/src/round/data/nifti.ts';
import { drawRegions } from '../../server/src/rtstruct/draw.ts';
import { readRtStruct } from '../../server/src/rtstruct/read.ts';
import { layOnImage } from '../../server/src/seg/lay-on-image.ts';
import { placeSegments } from '../../server/src/seg/place.ts';
import { readSeg } from '../../server/src/seg/read.ts';
import { encodeRle } from '../../server/src/seg/rle.ts';
import { writeFractionalSeg, writeSeg } from '../../server/src/seg/write.ts';
import { assembleSeries } from '../../server/src/study/assemble.ts';
import { parseInstances, parseSeries, parseStudies } from '../../server/src/study/dicom-json.ts';
import { createFrameDecoder } from '../../server/src/study/frame-decoder.ts';
import { readImageObjects } from '../../server/src/study/image-object.ts';
import { readMultipart } from '../../server/src/study/multipart.ts';
import { decodeSlice } from '../../server/src/study/pixel-data.ts';
import { createGeometry } from '../../server/src/volume/geometry.ts';
import { createVolume } from '../../server/src/volume/volume.ts';
import { makeMultiFrame, withoutOffsets } from '../fixtures/make-multi-frame.ts';
import { makeNifti } from '../fixtures/make-nifti.ts';
import { makeRtStruct } from '../fixtures/make-rtstruct.ts';
import { encodeFile, makeSeries } from '../fixtures/make-series.ts';
import { leanBy, probabilitiesFor, randomSegRequest } from '../fixtures/seg-request.ts';
import { tiny, tinySeg } from '../fixtures/tiny-seg.ts';
import { openRestTarget } from './rest-target.ts';

/** Something that reads bytes from elsewhere. */
export interface Target {
  /** Good inputs that faults are put into. */
  readonly corpus: readonly Uint8Array[];
  /** Reads; an AppError refuses. Anything else that is thrown is a fault. */
  run(bytes: Uint8Array): unknown;
  close?(): Promise<void>;
}

const maxVoxels = 1e6;

const volume = createVolume(
  Int16Array.from({ length: 12 * 10 * 4 }, (_, n) => n * 3 - 500),
  createGeometry({
    size: [12, 10, 4],
    spacingMm: [1, 1.25, 2.5],
    origin: [-40, 12.5, -80],
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  }),
);

/** What the fuzzer works on, by name. Opened when it is wanted: some start a server or a thread. */
export const targets: Readonly<Record<string, () => Promise<Target>>> = {
  /** A series of which one file is damaged, from its header to its voxels on their grid. */
  'part-10': async () => {
    const options = [{}, { modality: 'CT' as const, rescale: () => ({ slope: 2, intercept: -1024 }) }];
    const syntaxes = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1.99'].map((transferSyntaxUid) => ({
      transferSyntaxUid,
    }));
    const series = [...options, ...syntaxes].map((option) => makeSeries(volume, option).files);
    const [rest = []] = series;
    const corpus = [...series.flatMap(([first]) => first ?? []), makeMultiFrame(volume).file];
    return { corpus, run: (bytes) => assembleSeries([bytes, ...rest.slice(1)], { maxVoxels }) };
  },

  /** A multi-frame object alone. */
  'multi-frame': async () => {
    const rescale = (k: number) => ({ slope: 1 + k, intercept: -k });
    const corpus = [makeMultiFrame(volume).file, makeMultiFrame(volume, { modality: 'CT', rescale }).file];
    return { corpus, run: (bytes) => assembleSeries([bytes], { maxVoxels }) };
  },

  /** Compressed frames, single and many, through the decoder's threads. */
  frames: async () => {
    const files = await compressedFiles();
    const decoder = createFrameDecoder({ lanes: 1 });
    return {
      corpus: files,
      async run(bytes) {
        for (const image of readImageObjects(bytes, 1).slice(0, 4)) await decodeSlice(image, decoder);
      },
      close: () => decoder.close(),
    };
  },

  seg: async () => {
    const upright = randomSegRequest(19, [16, 16, 4]);
    const { geometry } = upright.labelmap;
    const leaning = { ...upright, labelmap: { ...upright.labelmap, geometry: leanBy(geometry, 15) } };
    const corpus = [writeSeg(upright).bytes, writeSeg(leaning).bytes, tiny({})];
    const classes = new Map([1, 2, 3].map((n) => [n, n]));
    return { corpus, run: (bytes) => placeSegments(readSeg(bytes), { classes, image: geometry, maxVoxels }) };
  },

  /** The kinds of SEG beside native BINARY, of which the packing is damaged as well. */
  'seg-kinds': async () => {
    const request = randomSegRequest(20, [16, 12, 4]);
    const { geometry: image } = request.labelmap;
    const pixels = ['native', 'rle', 'deflated'] as const;
    const corpus = [
      ...pixels.map((one) => writeSeg({ ...request, encoding: { type: 'LABELMAP', pixels: one } }).bytes),
      ...pixels.map((one) => writeFractionalSeg(probabilitiesFor(request, one)).bytes),
      writeSeg({ ...request, encoding: { type: 'BINARY', pixels: 'deflated' } }).bytes,
      bitsInRunLengths,
    ];
    const classes = new Map([1, 2, 3].map((n) => [n, n]));
    return { corpus, run: (bytes) => layOnImage(readSeg(bytes), { classes, image, maxVoxels, resample: true }) };
  },

  /** Data sets that are damaged first and deflated then, so that the faults come through. */
  deflated: async () => {
    const written = writeSeg({
      ...randomSegRequest(21, [16, 12, 4]),
      encoding: { type: 'LABELMAP', pixels: 'deflated' },
    });
    const start = 144 + Buffer.from(written.bytes).readUInt32LE(140);
    const head = written.bytes.subarray(0, start);
    const images = makeSeries(volume).files.map((file) => file.subarray(144 + Buffer.from(file).readUInt32LE(140)));
    const corpus = [new Uint8Array(inflateRawSync(written.bytes.subarray(start))), ...images.slice(0, 2)];
    return {
      corpus,
      run(bytes) {
        const file = new Uint8Array(Buffer.concat([head, deflateRawSync(bytes)]));
        const readers = [() => readSeg(file), () => readImageObjects(file, 1)];
        const refusals = readers.flatMap((read) => refusalOf(read) ?? []);
        if (refusals.length === readers.length) throw refusals[0];
      },
    };
  },

  rtstruct: async () => {
    const uids = { studyInstanceUid: '2.25.1', seriesInstanceUid: '2.25.2', frameOfReferenceUid: '2.25.3' };
    const ring = (low: number, high: number) =>
      [
        [low, low],
        [high, low + 0.5],
        [high - 0.25, high],
        [low, high],
      ] as const;
    const contours = [0, 1, 3].flatMap((slice) => [ring(1, 8), ring(2.5, 5)].map((corners) => ({ slice, corners })));
    const regions = [
      { number: 4, name: 'Größe', code: '12738006', contours },
      { number: 2, name: 'empty', contours: [] },
      { number: 9, name: 'point', contours: [{ slice: 2, corners: [[3, 3]] as const, type: 'POINT' }] },
    ];
    const { geometry: image } = volume;
    const grids = [image, leanBy(image, 12)];
    const corpus = grids.map((grid) => makeRtStruct(grid, uids, regions));
    const classes = new Map([[4, 1]]);
    return { corpus, run: (bytes) => drawRegions(readRtStruct(bytes), { classes, image, resample: true }) };
  },

  multipart: async () => {
    const parts = makeSeries(volume).files.slice(0, 2);
    const body = Buffer.concat([
      ...parts.flatMap((part, n) => [
        Buffer.from(
          `--cut\r\nContent-Type: application/dicom\r\n${n === 0 ? `Content-Length: ${part.length}\r\n` : ''}\r\n`,
        ),
        Buffer.from(part),
        Buffer.from('\r\n'),
      ]),
      Buffer.from('--cut--\r\n'),
    ]);
    return {
      corpus: [new Uint8Array(body), new TextEncoder().encode('--cut\r\nA: b\r\n\r\nbody\r\n--cut--')],
      async run(bytes) {
        for await (const part of readMultipart('cut', chunked(bytes))) void part.body.length;
      },
    };
  },

  'search-answer': async () => {
    const row = (tags: Readonly<Record<string, unknown>>) =>
      Object.fromEntries(Object.entries(tags).map(([tag, value]) => [tag, { vr: 'UN', Value: [value] }]));
    const series = row({ '0020000D': '1.2', '0020000E': '1.3', '00080060': 'MR', '00180015': 'HEAD', '00201209': 4 });
    const study = row({ '0020000D': '1.2', '00080061': 'MR', '00100020': 'P', '00080020': '20260101' });
    const instance = row({ '00080016': '1.2.840', '00080018': '1.2.3.4' });
    const corpus = [[series, series], [study], [instance, instance]].map((rows) =>
      new TextEncoder().encode(JSON.stringify(rows)),
    );
    return {
      corpus,
      run(bytes) {
        let answer: unknown;
        try {
          answer = JSON.parse(new TextDecoder().decode(bytes));
        } catch {
          // No JSON: refused before these parsers.
          return;
        }
        const parsers = [parseStudies, (value: unknown) => parseSeries(value, '1.2'), parseInstances];
        // Each is given answers of the others, too: it is refused when all refuse.
        const refusals = parsers.flatMap((parse) => refusalOf(() => parse(answer)) ?? []);
        if (refusals.length === parsers.length) throw refusals[0];
      },
    };
  },

  nifti: async () => {
    const corpus = [{}, { type: 'float32' as const }, { littleEndian: false }, { place: 'qform' as const }].map(
      (options) => makeNifti(volume, options),
    );
    const compressed = makeNifti(volume, { compress: true });
    return { corpus: [...corpus, compressed], run: (bytes) => readNiftiFile(bytes, maxVoxels) };
  },

  /** Bodies of requests to a real server of ours. */
  rest: async () => {
    const head = { inferenceId: crypto.randomUUID(), kind: 'edited', approvedSlices: ['1.2:1'], columns: 2, rows: 2 };
    const envelope = encodeEnvelope({ ...head, slices: ['1.2:1', '1.2:2'] }, new Uint8Array(8).fill(1));
    const json = new TextEncoder().encode(JSON.stringify({ model: 'brain-mr', reason: 'a reason', days: 3 }));
    return openRestTarget([new Uint8Array(gzipSync(envelope)), envelope, json]);
  },
};

/** A BINARY SEG whose frames are single bits in run lengths. */
const bitsInRunLengths = encodeFile(
  { ...tinySeg, PixelData: [3, 0].map((bits) => encodeRle(Uint8Array.of(bits, 0xff), 2).slice().buffer) },
  '1.2.840.10008.1.2.5',
);

function refusalOf(read: () => unknown): AppError | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

async function* chunked(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 97) yield bytes.subarray(at, at + 97);
}

async function compressedFiles(): Promise<readonly Uint8Array[]> {
  const { Context, NativeCodecs } = codecs;
  if (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
  const forms = [
    { uid: '1.2.840.10008.1.2.5', encode: 'encodeRle', options: {} },
    { uid: '1.2.840.10008.1.2.4.70', encode: 'encodeJpeg', options: { lossy: false, predictor: 1 } },
    { uid: '1.2.840.10008.1.2.4.80', encode: 'encodeJpegLs', options: { lossy: false } },
    { uid: '1.2.840.10008.1.2.4.90', encode: 'encodeJpeg2000', options: { lossy: false } },
    { uid: '1.2.840.10008.1.2.4.201', encode: 'encodeHtJpeg2000', options: { lossy: false } },
  ] as const;
  return forms.flatMap((form) => {
    const encode = (k: number) => {
      const decodedBuffer = new Uint8Array(volume.data.slice(120 * k, 120 * (k + 1)).buffer);
      const context = new Context({
        ...{ width: 12, height: 10, bitsAllocated: 16, bitsStored: 16, samplesPerPixel: 1, pixelRepresentation: 1 },
        ...{ planarConfiguration: 0, photometricInterpretation: 'MONOCHROME2', decodedBuffer },
      });
      return Uint8Array.from(NativeCodecs[form.encode](context, form.options).getEncodedBuffer() ?? []);
    };
    const attributes = (k: number) => ({ PixelData: [encode(k).buffer] });
    const [single] = makeSeries(volume, { transferSyntaxUid: form.uid, attributes }).files;
    const { file } = makeMultiFrame(volume, { transferSyntaxUid: form.uid, encode });
    return [single ?? file, file, withoutOffsets(file)];
  });
}
