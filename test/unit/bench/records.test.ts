import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { benches } from '../../bench/benches.ts';
import { benchFolder, readRecord, renderRecord } from '../../bench/record.ts';

const namesOf = (extension: string) =>
  readdirSync(benchFolder)
    .filter((file) => file.endsWith(extension))
    .map((file) => file.slice(0, -extension.length));

test('every record of a bench belongs to one that exists, and has its report beside it', () => {
  const known = benches.map((bench) => bench.name);
  assert.equal(new Set(known).size, known.length);
  assert.deepEqual(
    namesOf('.json').filter((name) => !known.includes(name)),
    [],
  );
  assert.deepEqual(namesOf('.md'), namesOf('.json'));
});

for (const name of namesOf('.json')) {
  test(`the report of ${name} says what its record holds`, () => {
    const bench = benches.find((candidate) => candidate.name === name);
    assert.ok(bench);
    assert.equal(readFileSync(join(benchFolder, `${name}.md`), 'utf8'), renderRecord(bench, readRecord(name)));
  });
}
