import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assembleSeries } from '../../../server/src/study/assemble.ts';
import { textDecoder } from '../../../server/src/study/character-set.ts';
import { encodeFile, makeSeries, type SliceAttributes } from '../../fixtures/make-series.ts';
import { refuses } from '../../fixtures/refuses.ts';
import { phantom } from './phantom.ts';

const maxVoxels = 1e6;
const read = (attributes: SliceAttributes) =>
  assembleSeries(makeSeries(phantom(), { attributes: () => attributes }).files, { maxVoxels });

test('patient and study attributes come as written, text in sequences too', async () => {
  const code = { CodeValue: 'X1', CodingSchemeDesignator: '99TEST', CodeMeaning: 'Голова' };
  const { header } = await read({
    PatientName: 'Müller^Жанна',
    PatientWeight: '70.5',
    StudyDescription: 'a description that ends in a blank ',
    ProcedureCodeSequence: [code],
  });
  assert.equal(header['PatientName'], 'Müller^Жанна');
  assert.equal(header['PatientWeight'], '70.5');
  assert.equal(header['StudyDescription'], 'a description that ends in a blank');
  assert.equal(header['AccessionNumber'], '');
  assert.deepEqual(header['ProcedureCodeSequence'], [code]);
  assert.equal('PatientComments' in header, false);
});

test('ill-formed source values do not stop the reading (S11)', async () => {
  const long = `TEST^${'a'.repeat(70)}`;
  const study = '1.2.03.4';
  const series = await read({
    PatientName: long,
    PatientAge: '45',
    StudyInstanceUID: study,
    AccessionNumber: '1'.repeat(20),
  });
  assert.equal(series.header['PatientName'], long);
  assert.equal(series.header['PatientAge'], '45');
  assert.equal(series.header['AccessionNumber'], '1'.repeat(20));
  assert.equal(series.studyInstanceUid, study);
});

test('Latin-1, Cyrillic and UTF-8 text is decoded by its character set', () => {
  const decode = (sets: string[], bytes: number[]): string => textDecoder(sets)(Uint8Array.from(bytes));
  assert.equal(decode(['ISO_IR 100'], [0x42, 0x75, 0x63, 0xf6]), 'Bucö');
  assert.equal(decode(['ISO_IR 144'], [0xbb, 0xee]), 'Лю');
  assert.equal(decode(['ISO_IR 192'], [...Buffer.from('Buć')]), 'Buć');
  assert.equal(decode([''], [0x41, 0x42]), 'AB');
  assert.equal(decode([], [0x41, 0xe9]), 'Aé');
});

test('code extensions follow their escape sequences and end at a delimiter', () => {
  const name = 'Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B';
  assert.equal(
    textDecoder(['', 'ISO 2022 IR 87'])(Buffer.from(name, 'latin1')),
    'Yamada^Tarou=山田^太郎=やまだ^たろう',
  );
  const korean = Buffer.from('Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7', 'latin1');
  assert.equal(textDecoder(['', 'ISO 2022 IR 149'])(korean), 'Hong^Gildong=洪^吉洞');
});

test('segmentations, reports, colour and frames without a place are no image series', async () => {
  const base = { SOPInstanceUID: '1.2.3', StudyInstanceUID: '1.2', SeriesInstanceUID: '1.3', InstanceNumber: 1 };
  const report = encodeFile({ ...base, SOPClassUID: '1.2.840.10008.5.1.4.1.1.88.11', Modality: 'SR' });
  await refuses(assembleSeries([report], { maxVoxels }), 'series-not-image', /holds no pixels \(modality SR\)/);
  await refuses(read({ SOPClassUID: '1.2.840.10008.5.1.4.1.1.66.4' }), 'series-not-image', /holds segmentations/);
  await refuses(read({ SamplesPerPixel: 3 }), 'series-not-image', /SamplesPerPixel 3/);
  await refuses(read({ NumberOfFrames: 6 }), 'series-not-image', /has 6 frames, and its kind/);
  const capture = { SOPClassUID: '1.2.840.10008.5.1.4.1.1.7', ImagePositionPatient: undefined };
  await refuses(read(capture), 'series-not-image', /no place in the patient/);
});

test('what an image must have and lacks is refused by name', async () => {
  for (const keyword of [
    'Rows',
    'BitsAllocated',
    'PixelData',
    'ImagePositionPatient',
    'PixelSpacing',
    'SOPInstanceUID',
  ]) {
    await refuses(read({ [keyword]: undefined }), 'instance-unreadable', new RegExp(`^Instance \\d has no ${keyword}`));
  }
  await refuses(read({ BitsAllocated: 32 }), 'instance-unreadable', /BitsAllocated 32/);
  await refuses(read({ BitsStored: 17 }), 'instance-unreadable', /BitsStored 17/);
  await refuses(read({ PhotometricInterpretation: 'PALETTE COLOR' }), 'instance-unreadable', /PALETTE COLOR/);
  await refuses(read({ ImageOrientationPatient: ['1', '0', '0', '0', '1'] }), 'instance-unreadable', /not 6 decimal/);
  await refuses(read({ ImageOrientationPatient: [1, 0, 0, 1, 0, 0] }), 'instance-unreadable', /not orthonormal/);
  await refuses(read({ FrameOfReferenceUID: undefined }), 'series-not-writable', /no FrameOfReferenceUID/);
});

test('a length that reaches beyond the file is refused, whatever attribute has it', async () => {
  const { files } = makeSeries(phantom());
  for (const tag of [
    [0x10, 0x00, 0x10, 0x00],
    [0x20, 0x00, 0x37, 0x00],
    [0x20, 0x00, 0x32, 0x00],
    [0x08, 0x00, 0x16, 0x00],
  ]) {
    const changed = files.map((file) => {
      const at = Buffer.from(file).indexOf(Buffer.from(tag), 300);
      const copy = Uint8Array.from(file);
      new DataView(copy.buffer).setUint16(at + 6, 0xfffe, true);
      return copy;
    });
    await refuses(assembleSeries(changed, { maxVoxels }), 'instance-unreadable', /cut off or damaged/);
  }
});

test('a file cut anywhere is refused by instance number, never padded', async () => {
  const { files } = makeSeries(phantom());
  for (const share of [0.002, 0.5, 0.9, 0.999]) {
    const cut = files.map((file, k) => (k === 1 ? file.subarray(0, Math.floor(file.length * share)) : file));
    await refuses(assembleSeries(cut, { maxVoxels }), 'instance-unreadable', /^(Object 2|Instance 5) is/);
  }
});
