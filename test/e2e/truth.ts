import { setTimeout as sleep } from 'node:timers/promises';
import { labelmapHead } from '../../server/src/http/contract.ts';
import { decodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { sampleTruth } from '../../server/src/sample/studies.ts';

/** A mask by slice: SOP Instance UID of the source image, of a frame with `:` and its number, to its voxels, `[row, column]` uint8. */
export type MaskBySlice = ReadonlyMap<string, Uint8Array>;

/** A sample study with its truth on the slices as the PACS has them. */
export interface TrueStudy {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly truth: MaskBySlice;
}

/** Where the PACS is asked, and as whom. */
export interface Site {
  /** Without a slash at its end. */
  readonly url: string;
  readonly authorization?: string;
}

interface DicomJson {
  readonly [tag: string]: { readonly Value?: readonly unknown[] };
}

/**
 * The truth of a sample study, put on the slices by their position in the patient: the order of the PACS, of the
 * server and of the viewer play no part.
 */
export async function readTruth(site: Site, sampleRoot: string, name: string): Promise<TrueStudy> {
  const { truth, geometry, studyInstanceUid } = sampleTruth(await loadColin27(sampleRoot), name);
  const [columns, rows, slices] = geometry.size;
  const instances = await readInstances(site, studyInstanceUid);
  const normal = geometry.direction[2];
  const bySlice = new Map<string, Uint8Array>();
  for (const instance of instances) {
    const position = numbers(instance, '00200032');
    const along = position.reduce(
      (sum, value, axis) => sum + (value - at(geometry.origin, axis)) * at(normal, axis),
      0,
    );
    const index = Math.round(along / geometry.spacingMm[2]);
    if (Math.abs(index * geometry.spacingMm[2] - along) > 0.01) throw new Error(`slice ${along} mm is off the grid`);
    bySlice.set(text(instance, '00080018'), truth.subarray(index * rows * columns, (index + 1) * rows * columns));
  }
  if (bySlice.size !== slices) throw new Error(`${bySlice.size} slices in the PACS, ${slices} in the truth`);
  const [first] = instances;
  return { studyInstanceUid, seriesInstanceUid: first ? text(first, '0020000E') : '', truth: bySlice };
}

/** Objects of one modality in a study, newest last: what a reader's submit has left in the PACS. */
export async function findObjects(
  site: Site,
  studyInstanceUid: string,
  modality: 'SEG' | 'SR',
): Promise<readonly { sopInstanceUid: string }[]> {
  const found = await getJson(site, `/studies/${studyInstanceUid}/instances?Modality=${modality}`);
  return found.map((instance) => ({ sopInstanceUid: text(instance, '00080018') }));
}

/** 2 |A and B| / (|A| + |B|) over all slices of the truth. */
export function diceOf(mask: MaskBySlice, truth: MaskBySlice): number {
  let both = 0;
  let sum = 0;
  for (const [uid, expected] of truth) {
    const seen = mask.get(uid);
    if (seen?.length !== expected.length) throw new Error(`the mask has no slice ${uid} of ${expected.length} voxels`);
    for (let i = 0; i < expected.length; i++) {
      const a = seen[i] === 1 ? 1 : 0;
      const b = expected[i] === 1 ? 1 : 0;
      both += a & b;
      sum += a + b;
    }
  }
  return sum === 0 ? 1 : (2 * both) / sum;
}

/** Dice of the mask that a model in service gives of a study, asked for without a viewer. */
export async function servedDice(site: Site, study: TrueStudy, model: string): Promise<number> {
  const { studyInstanceUid, seriesInstanceUid, truth } = study;
  const body = JSON.stringify({ studyInstanceUid, seriesInstanceUid, model });
  const headers = { 'content-type': 'application/json' };
  const { id } = (await (await ask(site, '/v1/inferences', { method: 'POST', headers, body })).json()) as {
    id: string;
  };
  for (let tries = 0; ; tries++) {
    const { state } = (await (await ask(site, `/v1/inferences/${id}`)).json()) as { state: string };
    if (state === 'done') break;
    if (state === 'failed' || tries === 600) throw new Error(`the inference is ${state}`);
    await sleep(200);
  }
  const bytes = new Uint8Array(await (await ask(site, `/v1/inferences/${id}/labelmap`)).arrayBuffer());
  const { head, labels } = decodeEnvelope(bytes);
  const { columns, rows, slices } = labelmapHead.parse(head);
  const size = columns * rows;
  return diceOf(new Map(slices.map((uid, k) => [uid, labels.subarray(k * size, (k + 1) * size)])), truth);
}

async function ask({ url, authorization }: Site, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...(authorization === undefined ? {} : { authorization }), ...(init.headers as object) };
  const response = await fetch(`${url}${path}`, { ...init, headers });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response;
}

async function readInstances(site: Site, studyInstanceUid: string): Promise<readonly DicomJson[]> {
  const all = await getJson(site, `/studies/${studyInstanceUid}/metadata`);
  return all.filter((instance) => text(instance, '00080060') === 'MR');
}

async function getJson(site: Site, path: string): Promise<readonly DicomJson[]> {
  const response = await ask(site, `/dicom-web${path}`, { headers: { accept: 'application/dicom+json' } });
  if (response.status === 204) return [];
  return (await response.json()) as readonly DicomJson[];
}

function text(instance: DicomJson, tag: string): string {
  return String(instance[tag]?.Value?.[0] ?? '');
}

function numbers(instance: DicomJson, tag: string): readonly number[] {
  return (instance[tag]?.Value ?? []).map(Number);
}

function at(vector: readonly number[], axis: number): number {
  return vector[axis] ?? Number.NaN;
}
