import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { availableThreads } from '../../../server/src/engine/threads.ts';

/** Calls `use` with a folder that holds these files. */
function withFiles(files: Readonly<Record<string, string>>, use: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'threads-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    use(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function countOf(files: Readonly<Record<string, string>>, affinity: number): number {
  let count = 0;
  withFiles(files, (root) => {
    count = availableThreads({ root, affinity }).count;
  });
  return count;
}

describe('available threads', () => {
  it('are those of the affinity mask where no quota is set', () => {
    assert.equal(countOf({}, 6), 6);
    assert.equal(countOf({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n' }, 6), 6);
  });

  it('are never more than a version 2 quota, rounded down, at least 1', () => {
    const files = (quota: string) => ({
      'proc/self/cgroup': '0::/a/b\n',
      'sys/fs/cgroup/a/b/cpu.max': `${quota} 100000\n`,
    });
    assert.equal(countOf(files('200000'), 64), 2);
    assert.equal(countOf(files('250000'), 64), 2);
    assert.equal(countOf(files('50000'), 64), 1);
    assert.equal(countOf(files('800000'), 4), 4);
  });

  it('obey the tightest of the groups above', () => {
    const files = {
      'proc/self/cgroup': '0::/a/b\n',
      'sys/fs/cgroup/a/cpu.max': '100000 100000\n',
      'sys/fs/cgroup/a/b/cpu.max': '400000 100000\n',
    };
    assert.equal(countOf(files, 8), 1);
  });

  it('obey a version 1 quota, also where the path of the host is not visible', () => {
    const quota = (folder: string) => ({
      'proc/self/cgroup': '4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n',
      [`${folder}/cpu.cfs_quota_us`]: '300000\n',
      [`${folder}/cpu.cfs_period_us`]: '100000\n',
    });
    assert.equal(countOf(quota('sys/fs/cgroup/cpu,cpuacct/docker/x'), 16), 3);
    assert.equal(countOf(quota('sys/fs/cgroup/cpu'), 16), 3);
  });

  it('ignore a version 1 quota of -1', () => {
    const files = {
      'proc/self/cgroup': '3:cpu:/\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    };
    assert.equal(countOf(files, 5), 5);
  });

  it('say what decided', () => {
    withFiles({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n' }, (root) => {
      assert.match(availableThreads({ root, affinity: 8 }).reason, /affinity allows 8.*1\.5/);
    });
    assert.ok(availableThreads().count >= 1);
  });
});
