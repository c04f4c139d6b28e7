import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveUid } from '../../../server/src/seg/uid.ts';
import { concepts } from '../../../server/src/sr/codes.ts';
import { type Reported, reportContent } from '../../../server/src/sr/report.ts';
import { randomSrRequest } from '../../fixtures/sr-request.ts';

interface Code {
  readonly CodeValue: string;
  readonly CodeMeaning: string;
}

/** A content item as it is written. */
interface Item {
  readonly RelationshipType: string;
  readonly ValueType: string;
  readonly ConceptNameCodeSequence?: readonly [Code];
  readonly ConceptCodeSequence?: readonly [Code];
  readonly TextValue?: string;
  readonly UID?: string;
  readonly PersonName?: readonly [{ readonly Alphabetic: string }];
  readonly MeasuredValueSequence?: readonly [
    { readonly NumericValue: string; readonly MeasurementUnitsCodeSequence: readonly [Code] },
  ];
  readonly ReferencedSOPSequence?: readonly [Readonly<Record<string, unknown>>];
  readonly GraphicData?: readonly number[];
  readonly ContentSequence?: readonly Item[];
}

const contentOf = (reported: Reported) => reportContent(reported) as unknown as readonly Item[];
const named = (items: readonly Item[] | undefined, { value }: { readonly value: string }) =>
  (items ?? []).filter((item) => item.ConceptNameCodeSequence?.[0].CodeValue === value);
const only = (items: readonly Item[] | undefined, name: { readonly value: string }): Item => {
  const [found, ...others] = named(items, name);
  assert.ok(found && others.length === 0, `one ${name.value}`);
  return found;
};
const groupsOf = (content: readonly Item[]) =>
  named(only(content, concepts.imagingMeasurements).ContentSequence, concepts.measurementGroup);

test('language, observers, procedure, images, measurements, evaluation: in the order of the template', () => {
  const names = contentOf(randomSrRequest(1)).map((item) => item.ConceptNameCodeSequence?.[0].CodeMeaning);
  assert.deepEqual(
    [...new Set(names)],
    [
      'Language of Content Item and Descendants',
      'Observer Type',
      'Person Observer Name',
      'Device Observer UID',
      'Device Observer Name',
      'Device Observer Manufacturer',
      'Device Observer Model Name',
      'Device Observer Serial Number',
      'Procedure reported',
      'Image Library',
      'Imaging Measurements',
      'Qualitative Evaluations',
    ],
  );
});

test('a reader and the model are the observers, and nothing tells who the reader is', () => {
  const request = randomSrRequest(2);
  const content = contentOf(request);
  assert.deepEqual(
    named(content, concepts.observerType).map((item) => item.ConceptCodeSequence?.[0].CodeMeaning),
    ['Person', 'Device'],
  );
  assert.equal(only(content, concepts.personObserverName).PersonName?.[0].Alphabetic, 'Reader^Correction');
  const device = only(content, concepts.deviceObserverUid).UID;
  assert.equal(device, only(contentOf(randomSrRequest(3)), concepts.deviceObserverUid).UID, 'one model, one device');
  const other = { ...request, seg: { ...request.seg, model: { ...request.seg.model, sha256: 'cd'.repeat(32) } } };
  assert.notEqual(device, only(contentOf(other), concepts.deviceObserverUid).UID);
});

test('each segment that has voxels is one group, with the tracking UID, segment and algorithm of the SEG', () => {
  const request = randomSrRequest(4);
  const { seg } = request;
  const groups = groupsOf(contentOf(request));
  assert.equal(groups.length, 2, 'the empty third segment is not measured');
  for (const [n, { ContentSequence: items }] of groups.entries()) {
    const segment = seg.labelmap.segments[n];
    assert.equal(only(items, concepts.trackingIdentifier).TextValue, `${segment?.label} 1`);
    const uid = n === 0 ? seg.trackingUid : deriveUid(seg.trackingUid, n + 1);
    assert.equal(only(items, concepts.trackingUniqueIdentifier).UID, uid);
    assert.equal(items?.find((item) => item.ValueType === 'UIDREF')?.UID, uid, 'the first UID of a group');
    assert.equal(only(items, concepts.finding).ConceptCodeSequence?.[0].CodeValue, segment?.type.value);
    assert.deepEqual(only(items, concepts.referencedSegment).ReferencedSOPSequence, [
      {
        ReferencedSOPClassUID: '1.2.840.10008.5.1.4.1.1.66.4',
        ReferencedSOPInstanceUID: seg.sopInstanceUid,
        ReferencedSegmentNumber: n + 1,
      },
    ]);
    assert.equal(only(items, concepts.sourceSeries).UID, seg.source.seriesInstanceUid);
    assert.equal(only(items, concepts.algorithmName).TextValue, 'UnCoL brain-mr');
    assert.equal(only(items, concepts.algorithmVersion).TextValue, '1');
    assert.match(only(items, concepts.algorithmParameters).TextValue ?? '', new RegExp(`${seg.model.sha256}$`));
  }
});

test('a volume is the number of voxels times the size of one, in cm3', () => {
  const request = randomSrRequest(5);
  const { data, geometry } = request.seg.labelmap;
  const [column, row, slice] = geometry.spacingMm;
  for (const [n, { ContentSequence: items }] of groupsOf(contentOf(request)).entries()) {
    const value = only(items, concepts.volume).MeasuredValueSequence?.[0];
    const voxels = data.filter((label) => label === n + 1).length;
    // A Decimal String holds 16 characters.
    const expected = (voxels * column * row * slice) / 1000;
    assert.ok(Math.abs(Number(value?.NumericValue) / expected - 1) < 1e-12, `${value?.NumericValue} ml`);
    assert.equal(value?.MeasurementUnitsCodeSequence[0].CodeValue, 'cm3');
  }
});

test('every measurement and the report as a whole say what the mask is and how far it was looked at', () => {
  const edited = randomSrRequest(6);
  const accepted = { ...edited, seg: { ...edited.seg, algorithmType: 'AUTOMATIC' as const }, vouchedSlices: 9 };
  for (const [request, origin, slices] of [
    [edited, 'AI-generated and edited by a reader', '4 of 9 slices'],
    [accepted, 'AI-generated, accepted by a reader without an edit', '9 of 9 slices'],
  ] as const) {
    const content = contentOf(request);
    const sentence = `${origin}. Research use only, not for diagnosis. A reader vouches for ${slices}. Volumes count every slice.`;
    const whole = only(content, concepts.qualitativeEvaluations).ContentSequence;
    assert.equal(only(whole, concepts.comment).TextValue, sentence);
    for (const group of groupsOf(content)) {
      assert.equal(only(group.ContentSequence, concepts.comment).TextValue, sentence);
    }
  }
});

test('a mask without any voxel has no measurements and is still reported on', () => {
  const request = randomSrRequest(7);
  const labelmap = { ...request.seg.labelmap, data: new Uint8Array(request.seg.labelmap.data.length) };
  const content = contentOf({ ...request, seg: { ...request.seg, labelmap } });
  assert.deepEqual(named(content, concepts.imagingMeasurements), []);
  assert.ok(only(content, concepts.qualitativeEvaluations));
});

test('the side of a paired structure is told with its site', () => {
  const request = randomSrRequest(8);
  request.seg.labelmap.data[0] = 3;
  const [, , thalamus] = groupsOf(contentOf(request));
  const site = only(thalamus?.ContentSequence, concepts.findingSite);
  assert.equal(site.ConceptCodeSequence?.[0].CodeMeaning, 'Thalamus');
  assert.equal(only(site.ContentSequence, concepts.laterality).ConceptCodeSequence?.[0].CodeMeaning, 'Bilateral');
});

test('the image library lists the source series; a modality without an own code is just imaging', () => {
  const request = randomSrRequest(9);
  const libraryOf = (reported: Reported) =>
    only(only(contentOf(reported), concepts.imageLibrary).ContentSequence, concepts.imageLibraryGroup).ContentSequence;
  const images = (libraryOf(request) ?? []).filter((item) => item.ValueType === 'IMAGE');
  assert.deepEqual(
    images.map((item) => item.ReferencedSOPSequence?.[0]['ReferencedSOPInstanceUID']),
    request.seg.source.instances.map(({ sopInstanceUid }) => sopInstanceUid),
  );
  assert.equal(only(libraryOf(request), concepts.modality).ConceptCodeSequence?.[0].CodeValue, 'MR');
  const other = { ...request, modality: 'OT' };
  assert.deepEqual(named(libraryOf(other), concepts.modality), []);
  const [procedure] = named(contentOf(other), concepts.procedureReported);
  assert.equal(procedure?.ConceptCodeSequence?.[0].CodeMeaning, 'Imaging procedure');
});
