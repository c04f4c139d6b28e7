import { toErrorRecord } from '../errors/app-error.ts';
import { TrafficMeter } from '../telemetry/traffic.ts';
import type { FromChild, ToChild } from './children.ts';

/** What this process sends to a PACS and gets from it; the parent is told with every message. */
export const pacsMeter = new TrafficMeter();

/**
 * Handles one task after the other; `report` sends progress to the parent. Background work awaits `whenFree` before
 * each piece of computing: it resolves when no other child needs the cores.
 */
export type TaskHandler<Task, Progress, Result> = (
  task: Task,
  report: (progress: Progress) => void,
  whenFree: () => Promise<void>,
) => Promise<Result>;

/**
 * The child's side of children.ts: waits for the set-up, builds the handler from it, then serves tasks until the parent
 * kills it or goes away. What is given to `note` goes to the parent's log. Ctrl-C in a terminal reaches this process too
 * and is left to the parent.
 */
export function serveTasks<SetUp, Task, Progress, Result>(
  build: (setUp: SetUp, note: (text: string) => void) => TaskHandler<Task, Progress, Result>,
): void {
  const send = (message: FromChild) => {
    const traffic = pacsMeter.take();
    if (traffic) process.send?.({ type: 'traffic', traffic } satisfies FromChild);
    process.send?.(message);
  };
  let handle: TaskHandler<Task, Progress, Result> | undefined;
  let free: Promise<void> = Promise.resolve();
  let release = () => {};
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  // Not `process.exit`: ended in a call of the runtime, its threads would abort the process and leave its memory in a file.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.on('message', (message: ToChild) => {
    if (message.type === 'start') {
      handle = build(message.setUp as SetUp, (text) => send({ type: 'note', text }));
      return;
    }
    if (message.type === 'hold') {
      release();
      free = message.held
        ? new Promise((resolve) => {
            release = resolve;
          })
        : Promise.resolve();
      return;
    }
    const { id } = message;
    const report = (progress: Progress) => send({ type: 'progress', id, progress });
    Promise.resolve()
      .then(() => {
        if (!handle) throw new TypeError('a task came before the set-up');
        return handle(message.task as Task, report, () => free);
      })
      .then(
        (result) => send({ type: 'done', id, result }),
        (error: unknown) => {
          // The class and position only: the text of a foreign error may quote an attribute of the patient.
          if (toErrorRecord(error).code === 'internal') process.stderr.write(`${positionOf(error)}\n`);
          send({ type: 'failed', id, error: toErrorRecord(error) });
        },
      );
  });
}

function positionOf(error: unknown): string {
  if (!(error instanceof Error)) return `child fault: ${typeof error}`;
  const positions = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [`child fault: ${error.name}`, ...positions.slice(0, 8)].join('\n');
}
