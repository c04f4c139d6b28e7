import { readFileSync } from 'node:fs';
import { readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

const TERMINATE_LIMIT_MS = 10_000;
const OWNER_FILE = 'owner.json';
const identity = z.object({ pid: z.int().positive(), startTicks: z.string() });
const owner = z.object({ program: z.string(), child: identity, parent: identity });

type ProcessIdentity = z.infer<typeof identity>;

/** Notes in `folder` that the process `pid`, running `program`, is a child of this one. */
export async function writeOwner(folder: string, program: string, pid: number): Promise<void> {
  const parent = identify(process.pid);
  const child = identify(pid);
  if (parent === null || child === null) return;
  await writeFile(join(folder, OWNER_FILE), JSON.stringify({ program, child, parent }), { mode: 0o600 });
}

/** Takes the note of {@link writeOwner} back. */
export async function forgetOwner(folder: string): Promise<void> {
  await rm(join(folder, OWNER_FILE), { force: true });
}

/**
 * Ends the child that an earlier run left behind in `folder` and answers its pid, or null when there is none. Only a
 * process that is proven to be ours is ended: same pid, same start time, same program, and its parent gone.
 */
export async function endLeftover(folder: string): Promise<number | null> {
  const text = await readFile(join(folder, OWNER_FILE), 'utf8').catch(() => null);
  if (text === null) return null;
  const parsed = owner.safeParse(parseJson(text));
  if (!parsed.success) return null;
  const { program, child, parent } = parsed.data;
  if (isAlive(parent) || !isAlive(child) || !(await runs(child.pid, program))) return null;
  process.kill(child.pid, 'SIGTERM');
  const deadline = Date.now() + TERMINATE_LIMIT_MS;
  while (isAlive(child)) {
    if (Date.now() > deadline) process.kill(child.pid, 'SIGKILL');
    await sleep(50);
  }
  await forgetOwner(folder);
  return child.pid;
}

/** Whether exactly this process, not a later one with its number, is there and not a zombie. */
function isAlive(wanted: ProcessIdentity): boolean {
  return identify(wanted.pid)?.startTicks === wanted.startTicks;
}

/** Pid with start time (clock ticks since boot); null when there is no such process, or only its zombie. */
export function identify(pid: number): ProcessIdentity | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything; state is the first field after it, start time the twentieth.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTicks = fields[19];
    return startTicks === undefined || fields[0] === 'Z' ? null : { pid, startTicks };
  } catch {
    return null;
  }
}

async function runs(pid: number, program: string): Promise<boolean> {
  const running = await readlink(`/proc/${pid}/exe`).catch(() => '');
  return basename(running.replace(/ \(deleted\)$/, '')) === basename(program);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
