import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import codecs from 'dcmjs-codecs';
import { childArguments, childEnvironment } from '../../server/src/jobs/children.ts';
import { medianOf } from '../../server/src/round/statistics.ts';
import { writeSeg } from '../../server/src/seg/write.ts';
import { startOrthanc } from '../../server/src/setup/orthanc.ts';
import { createPacs, type Pacs, type SeriesAddress } from '../../server/src/study/dicomweb.ts';
import { createVolume, type Volume } from '../../server/src/volume/volume.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { randomSegRequest, threeSegments } from '../fixtures/seg-request.ts';
import { openPeer } from './peer.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { shorten } from './spread.ts';

const size = [512, 512, 300] as const;
const pixels = size[0] * size[1];
const pairs = 5;
const segmentCounts = [5, 118] as const;

const syntaxes = [
  { name: 'uncompressed', uid: '1.2.840.10008.1.2.1', encode: null },
  { name: 'RLE', uid: '1.2.840.10008.1.2.5', encode: 'encodeRle' },
  { name: 'JPEG-LS', uid: '1.2.840.10008.1.2.4.80', encode: 'encodeJpegLs' },
  { name: 'JPEG 2000', uid: '1.2.840.10008.1.2.4.90', encode: 'encodeJpeg2000' },
] as const;
type Syntax = (typeof syntaxes)[number];

/** A body with noise, HU. */
function phantom(): Volume {
  const data = new Int16Array(pixels * size[2]);
  let state = 1;
  for (let n = 0; n < data.length; n++) {
    const [x, y] = [(n % 512) - 256, (Math.floor(n / 512) % 512) - 256];
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const noise = (state >>> 24) % 40;
    data[n] = x * x + 1.6 * y * y < 44_000 ? 20 + noise + ((x >> 5) & 3) * 30 : -1000 + noise;
  }
  const { geometry } = randomSegRequest(1).labelmap;
  return createVolume(data, { ...geometry, size, spacingMm: [0.8, 0.8, 1.5] });
}

async function storePhantom(pacs: Pacs, volume: Volume, { uid, encode }: Syntax): Promise<SeriesAddress> {
  const { Context, NativeCodecs } = codecs;
  if (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
  const compress = (k: number): ArrayBuffer => {
    const decodedBuffer = new Uint8Array((volume.data as Int16Array).slice(k * pixels, (k + 1) * pixels).buffer);
    const context = new Context({
      ...{ width: 512, height: 512, bitsAllocated: 16, bitsStored: 16, samplesPerPixel: 1, pixelRepresentation: 1 },
      ...{ planarConfiguration: 0, photometricInterpretation: 'MONOCHROME2', decodedBuffer },
    });
    const encoded = encode && NativeCodecs[encode](context, { lossy: false }).getEncodedBuffer();
    return Uint8Array.from(encoded ?? []).buffer;
  };
  const attributes = (k: number) => (encode ? { PixelData: [compress(k)] } : {});
  const series = makeSeries(volume, { modality: 'CT', transferSyntaxUid: uid, attributes });
  for (const file of series.files) await pacs.store(file);
  return series;
}

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const home = await mkdtemp(join(tmpdir(), 'uncol-study-io-'));
  const orthanc = await startOrthanc({ home, log: () => undefined });
  const pacs = createPacs({ url: orthanc.url, credentials: orthanc.credentials, idleSeconds: 60, retries: 0 });
  try {
    const volume = phantom();
    const rows: Row[] = [];
    for (const syntax of syntaxes) {
      const { studyInstanceUid, seriesInstanceUid } = await storePhantom(pacs, volume, syntax);
      tell(`${syntax.name}: stored`);
      rows.push(...(await readInTurns(orthanc, { studyInstanceUid, seriesInstanceUid }, syntax.name, tell)));
    }
    for (const count of segmentCounts) rows.push(...writeMasks(volume, count, tell));
    return rows;
  } finally {
    await pacs.close();
    await orthanc.stop();
    await rm(home, { recursive: true, force: true });
  }
}

async function readInTurns(
  {
    url,
    credentials,
  }: { readonly url: string; readonly credentials: { readonly username: string; readonly password: string } },
  address: SeriesAddress,
  syntax: string,
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  const access = [url, credentials.username, credentials.password];
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const ours = openPeer(
    process.execPath,
    [...childArguments(), file('study-io-child.ts'), ...access],
    // As the server starts those of its processes that read series.
    childEnvironment(process.env),
  );
  const peer = openPeer('/usr/bin/python3', ['-W', 'ignore', file('study-io-peer.py'), ...access]);
  const rows: Row[] = [];
  try {
    // The first pair warms up.
    for (let pair = 0; pair <= pairs; pair++) {
      const line = JSON.stringify(address);
      const [mine, theirs] = [await ours.ask(line), await peer.ask(line)];
      if (pair === 0) continue;
      rows.push({ what: 'read', syntax, pair, oursMs: Math.round(mine.ms), pydicomMs: Math.round(theirs.ms) });
      tell(JSON.stringify(rows.at(-1)));
    }
    rows.push({ what: 'memory', syntax, oursMib: Math.round(ours.peakMib()), pydicomMib: Math.round(peer.peakMib()) });
  } finally {
    await ours.close();
    await peer.close();
  }
  return rows;
}

function writeMasks({ geometry }: Volume, count: number, tell: (line: string) => void): readonly Row[] {
  const data = new Uint8Array(pixels * size[2]);
  // Boxes beside each other, each through forty slices.
  for (let segment = 1; segment <= count; segment++) {
    const [x, y, z] = [40 * ((segment - 1) % 12), 40 * (Math.floor((segment - 1) / 12) % 12), (segment * 2) % 260];
    for (let k = z; k < z + 40; k++)
      for (let j = y; j < y + 36; j++) data.fill(segment, (k * 512 + j) * 512 + x, (k * 512 + j) * 512 + x + 36);
  }
  const request = randomSegRequest(2, [4, 4, size[2]]);
  const segments = Array.from({ length: count }, (_, n) => {
    const like = threeSegments[n % 2];
    if (!like) throw new RangeError('no segment');
    return { ...like, number: n + 1, label: `segment ${n + 1}` };
  });
  const rows: Row[] = [];
  for (let run = 0; run <= pairs; run++) {
    const started = performance.now();
    const { bytes } = writeSeg({ ...request, labelmap: { data, geometry, segments } });
    const ms = Math.round(performance.now() - started);
    if (run > 0)
      rows.push({ what: 'write', segments: count, run, writeMs: ms, megabytes: Math.round(bytes.length / 1e6) });
  }
  tell(JSON.stringify(rows.at(-1)));
  return rows;
}

function report(rows: readonly Row[]): string {
  const volumeMib = (2 * pixels * size[2]) / 2 ** 20;
  const reads = syntaxes.map(({ name }) => {
    const of = rows.filter((row) => row['syntax'] === name);
    const [ours, theirs] = ['oursMs', 'pydicomMs'].map((key) => medianOf(numbersOf(of, key)));
    const memory = (key: string) => `${numbersOf(of, key)[0] ?? ''}`;
    const times = [shorten(ours ?? Number.NaN), shorten(theirs ?? Number.NaN)];
    return [
      name,
      ...times,
      ((theirs ?? Number.NaN) / (ours ?? Number.NaN)).toFixed(2),
      memory('oursMib'),
      memory('pydicomMib'),
    ];
  });
  const writes = segmentCounts.map((count) => {
    const of = rows.filter((row) => row['what'] === 'write' && row['segments'] === count);
    return [count, shorten(medianOf(numbersOf(of, 'writeMs'))), numbersOf(of, 'megabytes')[0] ?? ''];
  });
  return `${table(['series', '**ours, ms**', 'pydicom, ms', '**pydicom / ours**', 'our peak, MiB', "pydicom's peak, MiB"], reads)}

The volume takes ${shorten(volumeMib)} MiB of 16-bit voxels.

${table(['segments', '**writing, ms**', 'MB'], writes)}`;
}

/** How long a large series takes to a volume, and a large mask to a SEG. */
export const studyIo: Bench = {
  name: 'study-io',
  title: 'Large series and masks',
  about: `A series of ${size.join(' x ')} in an own Orthanc, read by WADO-RS into a volume of Hounsfield units: by this server in a process of its own, and by urllib, pydicom and numpy (JPEG-LS and JPEG 2000 by GDCM) in another, in turns, ${pairs} pairs after one that warms up. Writing: a labelmap of the same size as BINARY SEG, ${pairs} runs after a first one.`,
  run,
  report,
};
