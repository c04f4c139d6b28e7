import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorTable } from '../../../server/src/errors/table.ts';
import { rtStructureSetStorage } from '../../../server/src/rtstruct/read.ts';
import { labelmapStorage, segmentationStorage } from '../../../server/src/seg/encoding.ts';
import { copied } from '../../../server/src/seg/header.ts';
import { comprehensive3dSrStorage } from '../../../server/src/sr/write.ts';
import { encodings } from '../../../server/src/study/character-set.ts';
import { dividing } from '../../../server/src/study/dividing.ts';
import { enhancedClasses, sliceClasses } from '../../../server/src/study/image-object.ts';
import { transferSyntaxes } from '../../../server/src/study/pixel-data.ts';
import { tolerance } from '../../../server/src/study/tolerance.ts';
import { maxLeanDegrees } from '../../../server/src/volume/geometry.ts';

const statement = readFileSync(new URL('../../../server/docs/conformance.md', import.meta.url), 'utf8');

/** Rows of the first table below a heading, without its head. */
function tableBelow(heading: string): readonly (readonly string[])[] {
  const [, below = ''] = statement.split(`${heading}\n`);
  const lines = below.split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rest = lines.slice(first);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test('the conformance statement names the SOP classes and transfer syntaxes that are read, and no other', () => {
  assert.deepEqual(tableBelow('### 2.1 Image objects that are read'), [
    ...[...sliceClasses].map(([uid, name]) => [name, uid, 'one']),
    ...[...enhancedClasses].map(([uid, name]) => [name, uid, 'frames']),
  ]);
  assert.deepEqual(
    tableBelow('### 2.2 Transfer syntaxes that are read'),
    [...transferSyntaxes].map(([uid, { name }]) => [name, uid]),
  );
});

test('it names what is written, and what is copied into it', () => {
  const written = tableBelow('### 2.3 Objects that are written').map(([, uid]) => uid);
  assert.deepEqual(written, [segmentationStorage, labelmapStorage, comprehensive3dSrStorage]);
  const names = tableBelow('Copied from the source, made valid where it is not (and told in the receipt):').flat();
  assert.deepEqual(names, Object.keys(copied));
});

test('it names the masks that are read as corrections', () => {
  assert.deepEqual(
    tableBelow('### 2.4 Masks that are read').map(([, uid]) => uid),
    [segmentationStorage, labelmapStorage, rtStructureSetStorage],
  );
});

test('it names the character sets, the limits and every refusal', () => {
  const sets = tableBelow('## 4 Character sets').flat();
  assert.deepEqual(
    sets,
    Object.keys(encodings).sort((a, b) => Number(a) - Number(b)),
  );
  const of = ['series-', 'instance-', 'transfer-', 'image-', 'seg-', 'rtstruct-', 'import-'];
  const codes = Object.keys(errorTable).filter((code) => of.some((start) => code.startsWith(start)));
  assert.deepEqual(
    tableBelow('## 6 Refusals')
      .map(([code]) => code)
      .sort(),
    codes.sort(),
  );
  for (const limit of [
    tolerance.gapMm,
    tolerance.gridMm,
    tolerance.cosine,
    tolerance.pixelSpacingMm,
    tolerance.lateralMm,
    tolerance.gapShare,
    tolerance.gapRatio,
  ])
    assert.ok(statement.includes(`${limit} `), `${limit}`);
  assert.ok(statement.includes(`${maxLeanDegrees} degrees`));
});

test('it names the attributes by which volumes of one series are told apart, in their order', () => {
  const named = dividing.map(({ keyword }) => keyword).join(', ');
  assert.ok(statement.replace(/\s+/g, ' ').includes(`one does not do: ${named}; of a frame`));
});
