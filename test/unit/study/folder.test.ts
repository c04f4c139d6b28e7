import assert from 'node:assert/strict';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { listSeries } from '../../../server/src/study/folder.ts';
import { readSeriesFromFolder } from '../../../server/src/study/series.ts';
import { encodeFile, makeSeries, writeSeries } from '../../fixtures/make-series.ts';
import { refuses } from '../../fixtures/refuses.ts';
import { phantom } from './phantom.ts';

const maxVoxels = 1e6;
const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

async function folderOf(files: readonly Uint8Array[]): Promise<string> {
  const folder = await writeSeries(files);
  folders.push(folder);
  return folder;
}

test('a folder with one image series among other files is read without naming it', async () => {
  const volume = phantom();
  const made = makeSeries(volume);
  const report = encodeFile({
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.88.11',
    SOPInstanceUID: '1.2.3',
    StudyInstanceUID: made.studyInstanceUid,
    SeriesInstanceUID: '1.2.4',
    Modality: 'SR',
  });
  const folder = await folderOf([...made.files, report]);
  await writeFile(join(folder, 'README.txt'), 'not DICOM');
  await mkdir(join(folder, 'below'));
  const { series } = await listSeries(folder);
  const [first] = series.filter(({ modality }) => modality === 'MR');
  await copyFile(first!.files[0]!, join(folder, 'below', 'copy'));
  const found = await readSeriesFromFolder(folder, { maxVoxels });
  assert.deepEqual(found.volume.data, volume.data);
  assert.deepEqual(found.notes, ['1 byte-equal copies of instances are ignored.']);
  const named = readSeriesFromFolder(folder, { maxVoxels, seriesInstanceUid: '1.2.4' });
  await refuses(named, 'series-not-image', /modality SR/);
});

test('several image series need a name, an unknown name and an empty folder are refused', async () => {
  const one = makeSeries(phantom());
  const two = makeSeries(phantom());
  const folder = await folderOf([...one.files, ...two.files]);
  await refuses(readSeriesFromFolder(folder, { maxVoxels }), 'request-invalid', /2 image series/);
  const { seriesInstanceUid } = two;
  const series = await readSeriesFromFolder(folder, { maxVoxels, seriesInstanceUid });
  assert.equal(series.instances[0]?.sopInstanceUid, two.sopInstanceUids[0]);
  await refuses(readSeriesFromFolder(folder, { maxVoxels, seriesInstanceUid: '1.2' }), 'series-not-found', /2 series/);
  await refuses(readSeriesFromFolder(await folderOf([]), { maxVoxels }), 'series-not-found', /no DICOM/);
  await refuses(readSeriesFromFolder(join(folder, 'absent'), { maxVoxels }), 'request-invalid', /cannot be read/);
});

test('an aborted reading ends with its reason', async () => {
  const folder = await folderOf(makeSeries(phantom()).files);
  const reason = new Error('cancelled');
  const work = readSeriesFromFolder(folder, { maxVoxels, signal: AbortSignal.abort(reason) });
  await assert.rejects(work, (error) => error === reason);
});
