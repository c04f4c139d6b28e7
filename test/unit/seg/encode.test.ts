import assert from 'node:assert/strict';
import { test } from 'node:test';
import dcmjs from 'dcmjs';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { ByteWriter, writeDataSet } from '../../../server/src/seg/encode.ts';
import { encodePart10 } from '../../../server/src/seg/part10.ts';

const object = { SOPClassUID: '1.2.840.10008.5.1.4.1.1.66.4', SOPInstanceUID: '2.25.7' };

function readBack(bytes: Uint8Array): Record<string, unknown> {
  const { dict } = dcmjs.data.DicomMessage.readFile(Uint8Array.from(bytes).buffer);
  return dcmjs.data.DicomMetaDictionary.naturalizeDataset(dict);
}

test('what is written reads back, also when it takes far more than the first buffer', () => {
  const items = Array.from({ length: 20_000 }, (_, n) => ({
    ReferencedSOPInstanceUID: `2.25.${n}`,
    ReferencedFrameNumber: n,
  }));
  const read = readBack(encodePart10({ ...object, ReferencedImageSequence: items, StudyDescription: 'Größe Ж' }));
  const seen = read['ReferencedImageSequence'] as readonly Record<string, unknown>[];
  assert.equal(seen.length, items.length);
  assert.equal(seen[19_999]?.['ReferencedSOPInstanceUID'], '2.25.19999');
  assert.equal(seen[19_999]?.['ReferencedFrameNumber'], 19_999);
  assert.equal(read['StudyDescription'], 'Größe Ж');
});

test('elements stand by tag, have even lengths, and an attribute tag is two numbers', () => {
  const to = new ByteWriter();
  writeDataSet(to, { Rows: 258, DimensionIndexPointer: '0062000B', Modality: 'SEG', PatientID: undefined });
  assert.equal(
    Buffer.from(to.bytes()).toString('hex'),
    [
      ...['08006000', '4353', '0400', '53454720'],
      ...['20006591', '4154', '0400', '62000b00'],
      ...['28001000', '5553', '0200', '0201'],
    ].join(''),
  );
});

test('a value that does not fit its value representation is refused by attribute and length, without the value', () => {
  for (const [dataSet, message] of [
    [{ PatientID: 'X'.repeat(65) }, /^PatientID has 65 characters; .* LO holds 64\.$/],
    [{ StudyInstanceUID: '1.'.repeat(40) }, /^StudyInstanceUID has 80 characters/],
    [{ PatientName: [{ Alphabetic: 'A', Ideographic: 'X'.repeat(70) }] }, /^PatientName has a part of 70 characters/],
  ] as const) {
    assert.throws(
      () => encodePart10({ ...object, ...dataSet }),
      (error) => error instanceof AppError && error.code === 'series-not-writable' && message.test(error.message),
    );
  }
  assert.throws(() => encodePart10({ ...object, PatientsName: 'X' }), TypeError);
});
