import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path/posix';

/** How many threads computing may use, and what decided it. */
export interface AvailableThreads {
  readonly count: number;
  /** For `uncol doctor`, e.g. "CPU affinity allows 8, the quota of the container 2.0". */
  readonly reason: string;
}

/** Where to look; tests give their own. */
export interface ThreadSources {
  /** Root under which /proc and /sys lie. */
  readonly root?: string;
  /** CPUs that the affinity mask allows. */
  readonly affinity?: number;
}

/**
 * Threads that both the CPU affinity and the control group's quota (version 1 or 2, any level) allow; at least 1.
 * A runtime left alone starts one thread per core of the host and then waits for its own throttled threads.
 */
export function availableThreads(sources: ThreadSources = {}): AvailableThreads {
  const affinity = sources.affinity ?? availableParallelism();
  const quota = smallestQuota(sources.root ?? '/');
  if (quota === undefined) return { count: affinity, reason: `CPU affinity allows ${affinity}, no quota is set` };
  const count = Math.max(1, Math.min(affinity, Math.floor(quota)));
  return { count, reason: `CPU affinity allows ${affinity}, the quota of the container ${quota.toFixed(1)}` };
}

function smallestQuota(root: string): number | undefined {
  const quotas = controlGroups(root).flatMap(({ mount, path, read }) =>
    withParents(path).flatMap((group) => read(join(root, mount, group)) ?? []),
  );
  return quotas.length === 0 ? undefined : Math.min(...quotas);
}

interface ControlGroup {
  readonly mount: string;
  readonly path: string;
  readonly read: (folder: string) => number | undefined;
}

/** Lines of /proc/self/cgroup are `id:controllers:path`; version 2 has no controllers. */
function controlGroups(root: string): ControlGroup[] {
  const lines = readText(join(root, 'proc/self/cgroup'))?.trim().split('\n') ?? [];
  return lines.flatMap((line): ControlGroup[] => {
    const [, controllers = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (controllers === '') return [{ mount: 'sys/fs/cgroup', path, read: quotaOfVersion2 }];
    if (!controllers.split(',').includes('cpu')) return [];
    return [controllers, 'cpu'].map((name) => ({ mount: `sys/fs/cgroup/${name}`, path, read: quotaOfVersion1 }));
  });
}

/** Inside a container the path may name the host's tree, of which only the mount's top is visible: so that is tried. */
function withParents(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return Array.from({ length: parts.length + 1 }, (_, depth) => parts.slice(0, parts.length - depth).join('/'));
}

function quotaOfVersion2(folder: string): number | undefined {
  const [quota, period] = readText(join(folder, 'cpu.max'))?.trim().split(/\s+/).map(Number) ?? [];
  return ratio(quota, period);
}

function quotaOfVersion1(folder: string): number | undefined {
  const [quota, period] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => {
    const text = readText(join(folder, name));
    return text === undefined ? undefined : Number(text);
  });
  return ratio(quota, period);
}

function ratio(quota: number | undefined, period: number | undefined): number | undefined {
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return undefined;
  return quota / period;
}

/** Undefined where the file is not there: the kernel has no such control group. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
