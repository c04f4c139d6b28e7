import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCommit } from '../../../server/src/config/code.ts';

const commit = 'a'.repeat(40);
const other = 'b'.repeat(40);

test('the commit of a checkout is read from its branch, its packed branches, a bare head, and through a worktree', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'uncol-code-'));
  t.after(() => rm(root, { recursive: true }));
  const write = async (path: string, text: string) => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  };
  assert.equal(readCommit(root), null, 'no checkout');
  await write('.git/HEAD', 'ref: refs/heads/main\n');
  assert.equal(readCommit(root), null, 'a branch without a commit');
  await write('.git/packed-refs', `# pack-refs with: peeled\n${other} refs/heads/main\n${commit} refs/heads/old\n`);
  assert.equal(readCommit(root), other);
  await write('.git/refs/heads/main', `${commit}\n`);
  assert.equal(readCommit(root), commit, 'a loose branch is newer than a packed one');
  await write('.git/worktrees/tree/HEAD', `${other}\n`);
  await write('.git/worktrees/tree/commondir', '../..\n');
  await write('tree/.git', `gitdir: ${join(root, '.git/worktrees/tree')}\n`);
  assert.equal(readCommit(join(root, 'tree')), other);
  await write('.git/worktrees/tree/HEAD', 'ref: refs/heads/main\n');
  assert.equal(readCommit(join(root, 'tree')), commit);
});
