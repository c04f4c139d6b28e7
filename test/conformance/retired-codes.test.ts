import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { successors } from '../../server/src/seg/retired-codes.ts';
import { python, skipWithout } from '../fixtures/validators.ts';

/** SNOMED RT to SNOMED CT as pydicom took it from PS3.16, and the concepts of the context groups that the table is of. */
const script = `
import json
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping
groups = {
    code
    for cid in (7151, 7140, 244)
    for name in cid_concepts[cid]["SCT"]
    for code, (_, cids) in concepts["SCT"][name].items()
    if cid in cids
}
print(json.dumps([mapping["SRT"], sorted(groups)]))
`;

test('the successors of retired codes are those of PS3.16, and none of its context groups is missing', {
  skip: skipWithout('python3'),
}, () => {
  const output = execFileSync(python, ['-c', script], { encoding: 'utf8', maxBuffer: 2 ** 24 });
  const [mapping, groups] = JSON.parse(output) as [Readonly<Record<string, string>>, readonly string[]];
  assert.ok(groups.length > 700);
  for (const [retired, current] of successors) assert.equal(mapping[retired], current, retired);
  const known = new Set(successors.values());
  assert.deepEqual(
    groups.filter((code) => !known.has(code)),
    [],
  );
});
