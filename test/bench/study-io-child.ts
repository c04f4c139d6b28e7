// `study-io-child.ts URL USERNAME PASSWORD`: our side of the bench study-io, in a process of its own. Each line of its stdin is an
// address of a series; it is read into a volume, and answered with a `Timing`.
import { createInterface } from 'node:readline';
import { createPacs, type SeriesAddress } from '../../server/src/study/dicomweb.ts';
import { readSeriesFromPacs } from '../../server/src/study/series.ts';

const [url = '', username = '', password = ''] = process.argv.slice(2);
const pacs = createPacs({ url, credentials: { username, password }, idleSeconds: 60, retries: 0 });
for await (const line of createInterface({ input: process.stdin })) {
  const started = performance.now();
  const { volume } = await readSeriesFromPacs(pacs, JSON.parse(line) as SeriesAddress, { maxVoxels: 1e9 });
  const timing = { ms: performance.now() - started, voxels: volume.data.length };
  process.stdout.write(`${JSON.stringify(timing)}\n`);
}
await pacs.close();
