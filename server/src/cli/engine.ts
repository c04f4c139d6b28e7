import type { Settings } from '../config/schema.ts';
import { openOnce } from '../engine/candidates.ts';
import type { Engine } from '../engine/ops.ts';
import { availableThreads } from '../engine/threads.ts';

/** The engine of a command, opened when it is first asked for; the choice is told on stderr. */
export function openForCommand(settings: Settings): () => Promise<Engine> {
  return openOnce(settings.engine, { threads: threadsOf(settings) }, (choice) => process.stderr.write(`${choice}\n`));
}

/** Threads that the settings or the machine allow. */
export function threadsOf(settings: Settings): number {
  return settings.threads ?? availableThreads().count;
}
