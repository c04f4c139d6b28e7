import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  chooseProfile,
  generic,
  type ProfileName,
  products,
  profileOf,
} from '../../../server/src/study/pacs-profiles.ts';

const page = readFileSync(new URL('../../../server/docs/pacs.md', import.meta.url), 'utf8');

const rowsBelow = (heading: string): readonly (readonly string[])[] =>
  (page.split(`${heading}\n`)[1]?.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => /^\| [^-]/.test(line))
    .slice(1)
    .map((line) => line.slice(2, -2).split(' | '));

function show(value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return 'no bound';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map((item) => `\`${item}\``).join(', ') || 'none';
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, items]) => `${key} ${show(items)}`)
    .join('; ');
}

test('the page names every product with its trust, and every line of its profile with reason and source', () => {
  assert.deepEqual(
    rowsBelow('## Profiles').map(([name, product, trust]) => [name, product, trust]),
    Object.entries(products).map(([name, product]) => [
      `\`${name}\``,
      product.name,
      product.tested ? 'tested' : 'untested: as documented',
    ]),
  );
  const lines = Object.entries(products).flatMap(([name, product]) =>
    Object.entries(name === 'generic' ? generic : product.lines).map(([key, line]) => [
      `\`${name}\``,
      key,
      show(line.value),
      line.reason,
      line.source,
    ]),
  );
  assert.deepEqual(rowsBelow('## Lines'), lines);
});

test('a profile has the lines of its product and those of generic for the rest', () => {
  const { alreadyStored, wildcards, ...rest } = profileOf('azure');
  assert.deepEqual([alreadyStored, wildcards], [[45070], false]);
  assert.deepEqual(rest.accept, profileOf('generic').accept);
  assert.deepEqual(Object.keys(profileOf('orthanc')), Object.keys(generic));
});

test('the setting chooses, else who the PACS is, else its host name as a whole', () => {
  assert.deepEqual(chooseProfile('azure', 'https://healthcare.googleapis.com/v1'), {
    name: 'azure',
    by: 'UNCOL_PACS_PROFILE',
  });
  assert.deepEqual(chooseProfile(undefined, undefined), { name: 'orthanc', by: 'own PACS' });
  const byAddress: readonly (readonly [string, ProfileName])[] = [
    ['https://healthcare.googleapis.com/v1/projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb', 'google'],
    ['https://w-d.dicom.azurehealthcareapis.com/v2', 'azure'],
    ['https://dicom-medical-imaging.us-east-1.amazonaws.com/datastore/d', 'aws-healthimaging'],
    ['https://healthcare.googleapis.com.example/dicomWeb', 'generic'],
    ['https://pacs.example/healthcare.googleapis.com', 'generic'],
  ];
  for (const [url, name] of byAddress) assert.equal(chooseProfile(undefined, url).name, name, url);
});
