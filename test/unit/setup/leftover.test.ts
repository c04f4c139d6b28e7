import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { endLeftover, identify, writeOwner } from '../../../server/src/setup/leftover.ts';

const SLEEP = '/usr/bin/sleep';
type Note = {
  program: string;
  child: { pid: number; startTicks: string };
  parent: { pid: number; startTicks: string };
};

/** A real process noted in a folder; `change` edits the note before `work`. */
async function withNote(change: (note: Note) => void, work: (folder: string, child: ChildProcess) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-left-'));
  const child = spawn(SLEEP, ['60']);
  try {
    await once(child, 'spawn');
    await writeOwner(folder, SLEEP, child.pid!);
    const path = join(folder, 'owner.json');
    const note = JSON.parse(await readFile(path, 'utf8')) as Note;
    change(note);
    await writeFile(path, JSON.stringify(note));
    await work(folder, child);
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  }
}

const orphan = (note: Note) => {
  note.parent.startTicks = '1';
};

test('a child whose parent is gone is ended', async () => {
  await withNote(orphan, async (folder, child) => {
    assert.equal(await endLeftover(folder), child.pid);
    assert.equal(identify(child.pid!), null);
    assert.equal(await endLeftover(folder), null);
  });
});

test('a child of a living parent is left alone', async () => {
  await withNote(
    () => {},
    async (folder, child) => {
      assert.equal(await endLeftover(folder), null);
      assert.notEqual(identify(child.pid!), null);
    },
  );
});

test('a later process with the same number, or one that runs another program, is left alone', async () => {
  const later = (note: Note) => {
    orphan(note);
    note.child.startTicks = '1';
  };
  const other = (note: Note) => {
    orphan(note);
    note.program = '/usr/sbin/Orthanc';
  };
  for (const change of [later, other]) {
    await withNote(change, async (folder, child) => {
      assert.equal(await endLeftover(folder), null);
      assert.notEqual(identify(child.pid!), null);
    });
  }
});

test('an empty or broken note is no reason to end anything', async () => {
  await withNote(orphan, async (folder, child) => {
    await writeFile(join(folder, 'owner.json'), '');
    assert.equal(await endLeftover(folder), null);
    assert.notEqual(identify(child.pid!), null);
  });
});
