import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { benches } from '../../bench/benches.ts';
import { benchFolder, drawPlot, plotsOf, readRecord, renderRecord } from '../../bench/record.ts';

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
  test(`the report of ${name} says and shows what its record holds`, async () => {
    const bench = benches.find((candidate) => candidate.name === name);
    assert.ok(bench);
    const record = readRecord(name);
    assert.equal(readFileSync(join(benchFolder, `${name}.md`), 'utf8'), renderRecord(bench, record));
    for (const plot of plotsOf(bench, record)) {
      assert.equal(readFileSync(join(benchFolder, plot.file), 'utf8'), await drawPlot(plot));
    }
  });
}

test('every chart belongs to the record of a bench', () => {
  const known = benches
    .filter(({ name }) => namesOf('.json').includes(name))
    .flatMap((bench) => plotsOf(bench, readRecord(bench.name)).map(({ file }) => file));
  assert.deepEqual(
    namesOf('.svg').map((name) => `${name}.svg`),
    known.toSorted(),
  );
});
