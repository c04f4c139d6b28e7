import assert from 'node:assert/strict';
import { test } from 'node:test';
import dcmjs from 'dcmjs';
import { writeSeg } from '../../../server/src/seg/write.ts';
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
