import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { python, scriptOf } from '../parity/torch.ts';
import { peakMib } from './memory.ts';

/** What a work took, ms: `ms` in all, and parts of it. */
export type Timing = Readonly<Record<string, number>> & { readonly ms: number };

/** A process of its own that works when asked, and is idle else. It takes the time itself, so that no pipe counts. */
export interface Peer {
  /** @throws Error when the process has ended. */
  ask(work: string): Promise<Timing>;
  /** Most memory that it had resident so far, MiB. */
  peakMib(): number;
  close(): Promise<void>;
}

/** PyTorch, on the task in a folder; `device` as `torch/run.py` names it. */
export function openTorch(folder: string, device = 'cpu'): Peer {
  return openPeer(python, [scriptOf('run'), 'serve', folder, device]);
}

/** @param args of a program that answers each line of its stdin with a {@link Timing} as a line of JSON. */
export function openPeer(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Peer {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(work) {
      child.stdin.write(`${work}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(`${command} ${args[0]} ended (exit code ${child.exitCode})`);
      return JSON.parse(value) as Timing;
    },
    peakMib: () => peakMib(child.pid ?? 0),
    async close() {
      if (child.exitCode !== null) return;
      const gone = once(child, 'exit');
      child.stdin.end();
      await gone;
    },
  };
}
