import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../server/bin/uncol.mjs', import.meta.url));

describe('command line as a process', () => {
  const home = mkdtempSync(join(tmpdir(), 'uncol-cli-'));
  after(() => rmSync(home, { recursive: true }));
  const run = (...parameters: string[]) =>
    spawnSync(process.execPath, [bin, ...parameters], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], UNCOL_HOME: home },
    });

  it('wrong usage ends with 2, a failure with 1, both explained on stderr', () => {
    const usage = run('segment', 'folder');
    assert.deepEqual([usage.status, usage.stdout], [2, '']);
    assert.match(usage.stderr, /--out/);
    const failure = run('segment', join(home, 'nothing'), '--out', join(home, 'x.dcm'), '--json');
    assert.equal(failure.status, 1, failure.stderr);
    assert.equal(JSON.parse(failure.stdout).error.code, failure.stderr.split(':')[0]);
  });

  it('--json gives one object, also before anything was ever served', () => {
    const rounds = run('rounds', '--json');
    assert.equal(rounds.status, 0, rounds.stderr);
    assert.deepEqual(JSON.parse(rounds.stdout), { rounds: [] });
  });
});
