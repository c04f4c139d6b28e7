import assert from 'node:assert/strict';
import { test } from 'node:test';
import dcmjs from 'dcmjs';
import { foreseeSeg } from '../../../server/src/seg/foresee.ts';
import { writeSeg } from '../../../server/src/seg/write.ts';
import { createVolume } from '../../../server/src/volume/volume.ts';
import { refusesAtOnce } from '../../fixtures/refuses.ts';
import { randomSegRequest } from '../../fixtures/seg-request.ts';

function readBack(bytes: Uint8Array): Record<string, unknown> {
  const { dict } = dcmjs.data.DicomMessage.readFile(Uint8Array.from(bytes).buffer);
  return dcmjs.data.DicomMetaDictionary.naturalizeDataset(dict);
}

interface CodedSegment {
  readonly SegmentedPropertyTypeCodeSequence: readonly [
    { readonly SegmentedPropertyTypeModifierCodeSequence?: readonly [{ readonly CodeValue: string }] },
  ];
}

test('a paired structure in one segment is coded as bilateral, others without a side', () => {
  const { SegmentSequence } = readBack(writeSeg(randomSegRequest(21)).bytes) as {
    readonly SegmentSequence: readonly CodedSegment[];
  };
  const sides = SegmentSequence.map(
    ({ SegmentedPropertyTypeCodeSequence: [type] }) => type.SegmentedPropertyTypeModifierCodeSequence?.[0].CodeValue,
  );
  assert.deepEqual(sides, [undefined, undefined, '51440002']);
});

test('how a lossy source was compressed is copied whole, or left out and told', () => {
  const request = randomSegRequest(22);
  const write = (header: Readonly<Record<string, unknown>>, lossy = true) => {
    const source = { ...request.source, lossy, header: { ...request.source.header, ...header } };
    const { bytes, notes } = writeSeg({ ...request, source });
    const { LossyImageCompression: is, LossyImageCompressionRatio: ratio } = readBack(bytes);
    return [is, ratio, notes];
  };
  const left = (count: number) =>
    Array.from({ length: count }, () => 'LossyImageCompressionRatio of the source is not a valid DS and is left out.');
  assert.deepEqual(write({ LossyImageCompressionRatio: '12.5' }), ['01', 12.5, []]);
  assert.deepEqual(write({ LossyImageCompressionRatio: ['12.5', '3'] }), ['01', [12.5, 3], []]);
  assert.deepEqual(write({ LossyImageCompressionRatio: '12,5' }), ['01', undefined, left(1)]);
  assert.deepEqual(write({ LossyImageCompressionRatio: ['12.5', 'x', '3'] }), ['01', undefined, left(1)]);
  assert.deepEqual(write({ LossyImageCompressionRatio: '12.3456789012345678' }), ['01', undefined, left(1)]);
  assert.deepEqual(write({ LossyImageCompressionRatio: '12,5' }, false), ['00', undefined, []]);
});

test('what a SEG will repair is known before there is a mask, and that there can be none', () => {
  const { source, labelmap, model } = randomSegRequest(23);
  const foresee = (changes: object, header: object = {}) => {
    const volume = createVolume(new Int16Array(labelmap.data.length), labelmap.geometry);
    const series = {
      ...source,
      ...changes,
      modality: 'MR',
      volume,
      notes: [],
      header: { ...source.header, ...header },
    };
    return foreseeSeg(series, model, labelmap.segments);
  };
  assert.deepEqual(foresee({}), []);
  assert.deepEqual(foresee({}, { PatientAge: '45', StudyDescription: 'A\\B' }), [
    'StudyDescription of the source has a backslash or a control character, and a blank in its place.',
    'PatientAge of the source is not a valid AS and is left out.',
  ]);
  const long = `1.2.${'3'.repeat(70)}`;
  refusesAtOnce(() => foresee({ frameOfReferenceUid: long }), 'series-not-writable', /FrameOfReferenceUID has 74/);
  const instances = source.instances.map((instance, k) => (k === 7 ? { ...instance, sopInstanceUid: long } : instance));
  refusesAtOnce(() => foresee({ instances }), 'series-not-writable', /ReferencedSOPInstanceUID has 74/);
});
