import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { damage, fuzz } from '../../proof/fuzz.ts';
import { growCorpus } from '../../proof/grow.ts';
import { targets } from '../../proof/targets.ts';

/** A sample of what `npm run proof` does; those that start threads or talk to a server are slower. */
const cases: Readonly<Record<string, number>> = { frames: 150, rest: 200 };

for (const name of Object.keys(targets)) {
  test(`damaged input (${name}) is read or refused with a code, nothing else`, async () => {
    const { faults, refused, accepted } = await fuzz(name, 77, cases[name] ?? 1500);
    assert.deepEqual(faults, []);
    assert.ok(refused > 0 && accepted > 0, `${refused} refused, ${accepted} accepted`);
  });
}

test('the same seed and case give the same input', async () => {
  const { corpus } = (await targets['seg']?.()) ?? assert.fail();
  const input = (seed: number, n: number) => damage(corpus, corpus, Random.for(seed, 'seg', n));
  assert.deepEqual(input(5, 8), input(5, 8));
  assert.notDeepEqual(input(5, 8), input(5, 9));
});

test('a corpus grows by what reaches more code, and by nothing else', async () => {
  const target = (await targets['rtstruct']?.()) ?? assert.fail();
  const { corpus, before, after } = await growCorpus(target, 'rtstruct', 3, 200);
  assert.ok(after > before && before > 0, `${before} blocks, then ${after}`);
  assert.deepEqual(corpus.slice(0, target.corpus.length), target.corpus);
  assert.ok(corpus.length > target.corpus.length && corpus.length <= target.corpus.length + after - before);
});
