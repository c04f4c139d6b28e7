import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { seedFolder } from '../../../server/src/registry/registry.ts';
import { lateralities } from '../../../server/src/seg/codes.ts';
import { currentTerm, successors } from '../../../server/src/seg/retired-codes.ts';

const current = new Set(successors.values());

test('what the cards of the seeds name, and each side, has its identifier in SNOMED RT', () => {
  const root = fileURLToPath(seedFolder);
  const cards = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('card.json'));
  const segments = cards.flatMap(
    (name) =>
      JSON.parse(readFileSync(join(root, name), 'utf8')).segments as { type: object; anatomicRegion?: object }[],
  );
  const named = segments.flatMap(({ type, anatomicRegion }) => [type, ...(anatomicRegion ? [anatomicRegion] : [])]);
  assert.ok(named.length >= 10, `${named.length} codes`);
  for (const { value, scheme } of [...named, ...Object.values(lateralities)] as { value: string; scheme: string }[])
    assert.ok(scheme === 'SCT' && current.has(value), `${scheme} ${value}`);
});

test('retired schemes are translated, others and what is unknown stay as they are', () => {
  for (const scheme of ['SRT', 'SNM3', '99SDM'])
    assert.deepEqual(currentTerm({ value: 'T-A0100', scheme }), { value: '12738006', scheme: 'SCT' });
  for (const term of [
    { value: 'T-A0100', scheme: 'SCT' },
    { value: 'T-A0100', scheme: '99ELSE' },
    { value: 'T-00000', scheme: 'SRT' },
    { value: '', scheme: 'SRT' },
  ])
    assert.equal(currentTerm(term), term);
});
