import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Orthanc, startOrthanc } from '../../server/src/setup/orthanc.ts';
import { createPacs, type Pacs, type SeriesAddress } from '../../server/src/study/dicomweb.ts';
import { createGeometry } from '../../server/src/volume/geometry.ts';
import { createVolume } from '../../server/src/volume/volume.ts';
import { type MadeSeries, makeSeries, type SeriesOptions } from '../fixtures/make-series.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

/** Slices of {@link storedVolume}. */
export const slices = 24;

/** What the PACS holds, mm and made-up numbers. */
export const storedVolume = createVolume(
  Int16Array.from({ length: 96 * 80 * slices }, (_, n) => ((n * 7919) % 4001) - 1000),
  createGeometry({
    size: [96, 80, slices],
    spacingMm: [1, 1.5, 2],
    origin: [-50, -60, -20],
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  }),
);

/** A real Orthanc that holds one series, and a relay in front of it. */
export interface StoredSeries {
  readonly orthanc: Orthanc;
  readonly relay: FaultProxy;
  /** Straight to Orthanc, and through the relay with a short idle limit. */
  readonly direct: Pacs;
  readonly pacs: Pacs;
  readonly made: MadeSeries;
  readonly address: SeriesAddress;
  close(): Promise<void>;
}

/** Starts both and stores {@link storedVolume}, its last slice first. */
export async function storeSeries(options: SeriesOptions = {}): Promise<StoredSeries> {
  const home = await mkdtemp(join(tmpdir(), 'uncol-pacs-'));
  const orthanc = await startOrthanc({ home, log: () => {} });
  const relay = await startFaultProxy(orthanc.url);
  const { url, credentials } = orthanc;
  const direct = createPacs({ url, credentials, idleSeconds: 20, retries: 1 });
  const pacs = createPacs({ url: relay.url, credentials, idleSeconds: 1, retries: 2 });
  const made = makeSeries(storedVolume, options);
  for (const file of [...made.files].reverse()) await direct.store(file);
  const { studyInstanceUid, seriesInstanceUid } = made;
  return {
    ...{ orthanc, relay, direct, pacs, made },
    address: { studyInstanceUid, seriesInstanceUid },
    async close() {
      await pacs.close();
      await direct.close();
      await relay.close();
      await orthanc.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
