import { once } from 'node:events';
import { loadSettings } from '../config/load.ts';
import { serve } from '../main.ts';
import { createSteps } from '../setup/steps.mjs';
import { interruption } from './output.ts';

/** Serves until Ctrl-C or SIGTERM; the address goes to stdout as soon as everything is there. */
export async function runServe(json = false): Promise<undefined> {
  const settings = loadSettings();
  const interrupted = interruption('Ending what was started ...');
  const server = await serve(settings, createSteps(), interrupted).catch((error: unknown) => {
    if (interrupted.aborted) return undefined;
    throw error;
  });
  if (!server) {
    process.stderr.write('Stopped before it was ready.\n');
    process.exitCode = 130;
    return;
  }
  process.stdout.write(json ? `${JSON.stringify({ url: server.url })}\n` : `\n  Open ${server.url}\n\n`);
  if (!interrupted.aborted) await once(interrupted, 'abort');
  await server.stop();
  process.stderr.write('Stopped.\n');
}
