import { readdirSync, readFileSync } from 'node:fs';

/** The processes of a server, by what they do. */
export type Part = 'server' | 'inference' | 'trainer' | 'postgres' | 'orthanc';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

const signs: readonly (readonly [Part, RegExp])[] = [
  ['inference', /infer-child/],
  ['trainer', /train-child/],
  ['postgres', /postgres/],
  ['orthanc', /orthanc/i],
  ['server', /uncol\.mjs serve/],
];

/**
 * Memory of each part in MiB: resident size, or for the many processes of PostgreSQL the proportional size, because
 * they share most of theirs. Parts that do not run are absent.
 *
 * @param of `now`, or the `peak` since the process began (resident size, also for PostgreSQL's largest process).
 */
export function memoryMib(serverPid: number, home: string, of: 'now' | 'peak' = 'now'): Partial<Record<Part, number>> {
  const sums: Partial<Record<Part, number>> = {};
  for (const { pid, command } of processesOf(serverPid, home)) {
    const part = signs.find(([, sign]) => sign.test(command))?.[0];
    if (part === undefined) continue;
    const isShared = part === 'postgres';
    const mib =
      of === 'peak' ? peakMib(pid) : isShared ? field(pid, 'smaps_rollup', 'Pss') : field(pid, 'status', 'VmRSS');
    sums[part] = of === 'peak' ? Math.max(sums[part] ?? 0, mib) : (sums[part] ?? 0) + mib;
  }
  return sums;
}

/** Largest resident size of a process so far, MiB; 0 when it has ended. */
export function peakMib(pid: number): number {
  return field(pid, 'status', 'VmHWM');
}

/** The process, what names its home in the command line, and all that descend from these. */
function processesOf(serverPid: number, home: string): readonly Process[] {
  const all = listProcesses();
  const found = new Map<number, Process>();
  const take = (process: Process) => {
    if (found.has(process.pid)) return;
    found.set(process.pid, process);
    for (const child of all) if (child.parent === process.pid) take(child);
  };
  for (const process of all) if (process.pid === serverPid || process.command.includes(home)) take(process);
  return [...found.values()];
}

function listProcesses(): readonly Process[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((name): Process[] => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      return [
        { pid: Number(name), parent, command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') },
      ];
    } catch {
      // It has just ended.
      return [];
    }
  });
}

function field(pid: number, file: 'status' | 'smaps_rollup', name: string): number {
  try {
    const text = readFileSync(`/proc/${pid}/${file}`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
