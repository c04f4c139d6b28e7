import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CardSegment, matchStructures, type Naming } from '../../../server/src/correction/match-structures.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import type { Structure } from '../../../server/src/seg/structures.ts';

const sct = (value: string) => ({ value, scheme: 'SCT', meaning: '' });
const brain: CardSegment = { number: 1, label: 'Brain', type: sct('12738006') };
const thalamus: CardSegment = { number: 2, label: 'Thalamus', type: sct('42695009'), laterality: 'both' };
const structure = (number: number, label: string, more: Partial<Structure> = {}): Structure => ({
  ...{ number, label, algorithmType: 'MANUAL', type: undefined, anatomicRegion: undefined, laterality: undefined },
  ...more,
});
const nothing: Naming = { structures: [], absent: [] };
const match = (structures: readonly Structure[], segments: readonly CardSegment[], naming: Partial<Naming> = {}) => {
  const { matches, open, missing } = matchStructures(structures, segments, { ...nothing, ...naming });
  return [
    matches.map(({ number, segment, by }) => `${number}=${segment} ${by}`),
    open.map((one) => one.number),
    missing,
  ];
};

test('a structure is known by its code, else by its label, in any case and any form of Unicode', () => {
  const coded = structure(4, 'mask', { type: sct('12738006') });
  assert.deepEqual(match([coded], [brain]), [['4=1 code'], [], []]);
  assert.deepEqual(match([structure(1, ' bRAIN ')], [brain]), [['1=1 label'], [], []]);
  const tissue = structure(1, 'Brain', { type: sct('85756007') });
  assert.deepEqual(match([tissue], [brain]), [['1=1 label'], [], []]);
  const accented = { ...brain, label: 'Hémisphère' };
  assert.deepEqual(match([structure(1, 'Hémisphère'.normalize('NFD'))], [accented]), [['1=1 label'], [], []]);
  assert.deepEqual(match([structure(1, 'x', { type: { value: '12738006', scheme: 'DCM' } })], [brain])[1], [1]);
});

test('what is not named stays open, with the segments that nothing stands for', () => {
  assert.deepEqual(match([structure(1, 'Segment_1')], [brain, thalamus]), [[], [1], [1, 2]]);
  assert.deepEqual(match([structure(1, 'Brain')], [brain, thalamus]), [['1=1 label'], [], [2]]);
});

test('a code and a label that contradict each other, or a label of two segments, are for the person to say', () => {
  const torn = structure(1, 'Thalamus', { type: sct('12738006') });
  assert.deepEqual(match([torn], [brain, thalamus])[1], [1]);
  const twin = { ...thalamus, number: 3 };
  assert.deepEqual(match([structure(1, 'Thalamus')], [thalamus, twin])[1], [1]);
});

test('one side is of a segment of both only beside the other side; several structures may be one segment', () => {
  const side = (number: number, laterality: 'left' | 'right') =>
    structure(number, `${laterality} half`, { type: sct('42695009'), laterality });
  assert.deepEqual(match([side(1, 'left')], [thalamus])[1], [1]);
  assert.deepEqual(match([side(1, 'left'), side(2, 'right')], [thalamus]), [['1=2 code', '2=2 code'], [], []]);
  assert.deepEqual(match([structure(1, 'x', { type: sct('42695009') })], [thalamus])[1], [1], 'no side is said');
  const left: CardSegment = { ...thalamus, laterality: 'left' };
  assert.deepEqual(match([side(1, 'left')], [left]), [['1=2 code'], [], []]);
  assert.deepEqual(match([side(1, 'right')], [left])[1], [1]);
});

test('where both name a region it has to be the same', () => {
  const lesion: CardSegment = { number: 1, label: 'Lesion', type: sct('52988006'), anatomicRegion: sct('12738006') };
  const of = (region?: string) =>
    structure(1, 'm', { type: sct('52988006'), anatomicRegion: region === undefined ? undefined : sct(region) });
  assert.deepEqual(match([of('12738006')], [lesion])[0], ['1=1 code']);
  assert.deepEqual(match([of()], [lesion])[0], ['1=1 code']);
  assert.deepEqual(match([of('10200004')], [lesion])[1], [1]);
});

test('what the person says comes first: by label or number, to a segment or to none', () => {
  const two = [structure(1, 'Hirn'), structure(2, 'Haut')];
  const structures = [
    { from: 'hirn', to: 'brain' },
    { from: '2', to: null },
  ];
  assert.deepEqual(match(two, [brain], { structures }), [['1=1 person', '2=0 person'], [], []]);
  const named = { structures: [{ from: '1', to: 'Brain' }], absent: ['thalamus'] };
  assert.deepEqual(match([structure(1, 'a')], [brain, thalamus], named), [['1=1 person'], [], []]);
});

test('a name that is of nothing, or says two things, is refused without repeating what was written', () => {
  const refuses = (naming: Partial<Naming>, message: RegExp) =>
    assert.throws(
      () => match([structure(1, 'Brain'), structure(2, 'Other')], [brain, thalamus], naming),
      (error) => {
        assert.ok(error instanceof AppError && error.code === 'request-invalid');
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /SECRET/);
        return true;
      },
    );
  refuses({ structures: [{ from: 'SECRET', to: 'Brain' }] }, /no structure of name 1/);
  refuses({ structures: [{ from: 'Brain', to: 'SECRET' }] }, /it has Brain, Thalamus/);
  refuses({ absent: ['SECRET'] }, /it has Brain, Thalamus/);
  refuses({ absent: ['Brain'] }, /Segment 1 is called absent/);
  const twice = [
    { from: 'Other', to: 'Brain' },
    { from: '2', to: null },
  ];
  refuses({ structures: twice }, /Structure 2 is named as two/);
});
