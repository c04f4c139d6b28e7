import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { AppError, type ErrorRecord, fromErrorRecord } from '../errors/app-error.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Traffic } from '../telemetry/traffic.ts';

/** What parent and child say to each other; bodies are plain data (structured clone). */
export type ToChild =
  | { readonly type: 'start'; readonly setUp: unknown }
  | { readonly type: 'task'; readonly id: number; readonly task: unknown }
  | { readonly type: 'hold'; readonly held: boolean };
export type FromChild =
  | { readonly type: 'progress'; readonly id: number; readonly progress: unknown }
  | { readonly type: 'done'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorRecord }
  /** A line for the log, without patient data. */
  | { readonly type: 'note'; readonly text: string }
  /** Since the last one. */
  | { readonly type: 'traffic'; readonly traffic: Traffic };

/** A process that is there only while it has work: the scale-to-zero part. */
export interface Child<Task, Progress, Result> {
  /**
   * Runs one task in the process, after those asked for before; starts the process when there is none.
   * @throws AppError `job-cancelled` when `signal` aborts (the process is killed, because a running network cannot be
   * stopped otherwise), `child-lost` when the process ends by itself, or what the task threw.
   */
  run(
    task: Task,
    options: { readonly signal: AbortSignal; readonly onProgress: (progress: Progress) => void },
  ): Promise<Result>;
  /**
   * Has the task wait before its next piece of computing, so that another child gets the cores; the return value lets it
   * go on. Threads of inference and training together then stay within what the machine allows.
   */
  hold(): () => void;
  /** Process id while there is a process. */
  readonly pid: number | undefined;
  /** Kills the process and waits for its end. */
  close(): Promise<void>;
}

export interface ChildOptions {
  readonly kind: 'infer' | 'train' | 'samples';
  /** TypeScript module that calls `serveTasks` (child-side.ts). */
  readonly entry: URL;
  /** Sent as the first message; secrets travel here and never in arguments or the environment. */
  readonly setUp: unknown;
  /** The process ends after this long without a task, milliseconds. */
  readonly idleMs: number;
  /** True lowers its priority below the server's and the other children's. */
  readonly background?: boolean;
  /** Hears of what the process sent to the PACS and got from it. */
  readonly onTraffic?: (traffic: Traffic) => void;
  readonly log: Log;
  readonly metrics: Metrics;
}

const firstDelayMs = 250;
const longestDelayMs = 30_000;

/** A child that does not run yet; the first task starts it. */
export function createChild<Task, Progress, Result>(options: ChildOptions): Child<Task, Progress, Result> {
  const { kind, log, metrics } = options;
  let child: ChildProcess | undefined;
  let idle: NodeJS.Timeout | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  let taskId = 0;
  let holds = 0;
  /** Ends in the middle of a task, one after the other: each doubles the wait before the next start. */
  let losses = 0;
  let lastLossAt = 0;

  const kill = async () => {
    const ending = child;
    if (!ending) return;
    // From now on a task needs a new process, also while this one has not ended yet.
    child = undefined;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await ended;
  };
  const start = async (signal: AbortSignal) => {
    if (child) return child;
    const delayMs = losses === 0 ? 0 : Math.min(firstDelayMs * 2 ** (losses - 1), longestDelayMs);
    await pause(lastLossAt + delayMs - Date.now(), signal);
    const started = forkChild(options);
    child = started;
    metrics.childrenRunning.inc({ kind });
    started.on('message', (message: FromChild) => {
      if (message.type === 'note') log.info(message.text, { kind });
      if (message.type === 'traffic') options.onTraffic?.(message.traffic);
    });
    if (holds > 0) tell(started, { type: 'hold', held: true });
    started.once('exit', (exitCode, endSignal) => {
      if (child === started) child = undefined;
      metrics.childrenRunning.dec({ kind });
      log.debug('Child ended', { kind, exitCode: exitCode ?? undefined, signal: endSignal ?? undefined });
    });
    return started;
  };
  const runNow = async (task: Task, { signal, onProgress }: Parameters<Child<Task, Progress, Result>['run']>[1]) => {
    clearTimeout(idle);
    if (signal.aborted) throw cancelled();
    const target = await start(signal);
    const abort = () => target.kill('SIGKILL');
    signal.addEventListener('abort', abort, { once: true });
    try {
      const result = await exchange<Progress, Result>(target, ++taskId, task, onProgress);
      losses = 0;
      return result;
    } catch (error) {
      if (signal.aborted) throw cancelled();
      if (error instanceof AppError && error.code === 'child-lost') {
        losses += 1;
        lastLossAt = Date.now();
        metrics.childrenLostTotal.inc({ kind });
        log.warn('Child lost', { kind, count: losses });
      }
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      clearTimeout(idle);
      idle = setTimeout(() => void kill(), options.idleMs);
      idle.unref();
    }
  };
  return {
    run(task, runOptions) {
      const result = tail.then(() => runNow(task, runOptions));
      tail = result.catch(() => undefined);
      return result;
    },
    hold() {
      holds += 1;
      if (holds === 1 && child) tell(child, { type: 'hold', held: true });
      let released = false;
      return () => {
        if (released) return;
        released = true;
        holds -= 1;
        if (holds === 0 && child) tell(child, { type: 'hold', held: false });
      };
    },
    get pid() {
      return child?.pid;
    },
    async close() {
      clearTimeout(idle);
      await kill();
    },
  };
}

function forkChild({ entry, setUp, background }: ChildOptions): ChildProcess {
  const child = fork(fileURLToPath(entry), {
    execArgv: [...childArguments()],
    serialization: 'advanced',
    // Its stdout goes to our stderr: stdout belongs to the answers of the command line.
    stdio: ['ignore', 2, 2, 'ipc'],
    env: childEnvironment(process.env),
  });
  // Failed sends and starts end in `exit` too, where they are told.
  child.on('error', () => undefined);
  if (background && child.pid !== undefined) {
    try {
      setPriority(child.pid, constants.priority.PRIORITY_LOW);
    } catch {
      // It ended at once; `exit` tells.
    }
  }
  tell(child, { type: 'start', setUp });
  return child;
}

/** A message that cannot be sent needs no answer: the child has ended, and `exit` tells. */
function tell(child: ChildProcess, message: ToChild): void {
  child.send(message, () => undefined);
}

function exchange<Progress, Result>(
  child: ChildProcess,
  id: number,
  task: unknown,
  onProgress: (progress: Progress) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      act();
    };
    const onExit = (exitCode: number | null, signal: string | null) => {
      const how = signal ? `by ${signal}` : `with code ${exitCode}`;
      settle(() => reject(new AppError('child-lost', `The worker process ended ${how}.`)));
    };
    const onMessage = (message: FromChild) => {
      if (!('id' in message) || message.id !== id) return;
      if (message.type === 'progress') onProgress(message.progress as Progress);
      else if (message.type === 'done') settle(() => resolve(message.result as Result));
      else settle(() => reject(fromErrorRecord(message.error)));
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
    if (child.exitCode !== null || child.signalCode !== null) return onExit(child.exitCode, child.signalCode);
    tell(child, { type: 'task', id, task });
  });
}

/**
 * What Node is told in a child. Its heap is small, and beside it stand buffers of a hundred megabytes; were it taken for
 * full beyond thirty, as by default, reading a series would collect garbage a dozen times and take a third longer.
 */
export function childArguments(): readonly string[] {
  return ['--initial-old-space-size=256', '--import', import.meta.resolve('tsx')];
}

/**
 * What a child is given of its parent's environment: no connection strings, for it needs neither database nor settings from
 * there. Large pages for large buffers, where Linux gives them to who asks: a volume of 150 MiB is 38,400 small pages, and
 * to get them one by one takes longer than to fill them.
 */
export function childEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => name !== 'DATABASE_URL' && !name.startsWith('UNCOL_'));
  return { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1', ...Object.fromEntries(kept) };
}

function cancelled(): AppError {
  return new AppError('job-cancelled', 'The job was cancelled.');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() {
      signal.removeEventListener('abort', stop);
      resolve();
    }
    function stop() {
      clearTimeout(timer);
      reject(cancelled());
    }
    signal.addEventListener('abort', stop, { once: true });
  });
}
