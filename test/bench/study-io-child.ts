// `study-io-child.ts URL USERNAME PASSWORD`: our side of the bench study-io, in a process of its own. Each line of its stdin is an
// address of a series; it is read into a volume, and answered with a `Timing`.
import { createInterface } from 'node:readline';
import { createPacs, type SeriesAddress } from '../../server/src/study/dicomweb.ts';
import { readSeriesFromPacs } from '../../server/src/study/series.ts';
import type { Timing } from './peer.ts';

const [url = '', username = '', password = ''] = process.argv.slice(2);
const pacs = createPacs({ url, credentials: { username, password }, idleSeconds: 60, retries: 0, profile: 'orthanc' });

// In a function of its own: a suspended loop would hold on to its last volume while the next one is read.
async function time(address: SeriesAddress): Promise<Timing> {
  const started = performance.now();
  const { volume } = await readSeriesFromPacs(pacs, { ...address, volume: '' }, { maxVoxels: 1e9 });
  return { ms: performance.now() - started, voxels: volume.data.length };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await time(JSON.parse(line) as SeriesAddress))}\n`);
}
await pacs.close();
