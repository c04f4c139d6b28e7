// `npm start`: from a fresh clone to a running viewer. Plain JavaScript, because nothing is installed yet.
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LEAST_NODE = [20, 19];
const REPEAT_MS = 1000;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

const help = `UnCoL for OHIF: segment, correct and learn in the viewer.

Usage: npm start [-- OPTIONS]

Installs what is missing, starts PACS, database and server, and prints the address to open.
Ctrl-C ends everything that was started. OPTIONS go to "uncol serve" (npx uncol serve --help).

Settings (environment; the whole list: npx uncol doctor):
  UNCOL_HOME                   folder of all state (default: ~/.local/share/uncol)
  UNCOL_PORT                   port of the viewer (default: 8190)
  UNCOL_PACS_URL               DICOMweb address of an own PACS, instead of Orthanc with sample studies
  UNCOL_PACS_CREDENTIALS_FILE  JSON file {"username","password"} or {"token"} for that PACS

Example: UNCOL_PORT=9000 npm start
`;

/**
 * Runs a child in a process group of its own and passes signals on, each once: a terminal and npm both send Ctrl-C.
 * @param {{ wholeGroup: boolean }} options Whether a signal goes to all that the child started, or to it alone.
 */
function runChild(command, args, { wholeGroup }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    let lastSignalAt = -REPEAT_MS;
    const pass = (signal) => {
      if (performance.now() - lastSignalAt < REPEAT_MS) return;
      lastSignalAt = performance.now();
      try {
        process.kill(wholeGroup ? -child.pid : child.pid, signal === 'SIGHUP' ? 'SIGTERM' : signal);
      } catch {
        // It has just ended; its exit code is on the way.
      }
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, pass);
    const end = (code) => {
      for (const signal of signals) process.off(signal, pass);
      resolve(code);
    };
    child.once('error', (error) => {
      process.stderr.write(`${command} cannot be started: ${error.message}\n`);
      end(1);
    });
    child.once('exit', (code, signal) => end(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

/** Lets the kernel end the server when this process is killed outright. */
function boundToThisProcess(command) {
  const bound = spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true']);
  return bound.status === 0 ? ['setpriv', '--pdeathsig', 'TERM', '--', ...command] : command;
}

async function main(args) {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help);
    return 0;
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    process.stderr.write(`Node ${LEAST_NODE.join('.')} or later is needed; this is ${process.versions.node}.\n`);
    return 1;
  }
  const { makeReady } = await import('./src/setup/checkout.mjs');
  const readiness = await makeReady(root, (command, rest) => runChild(command, rest, { wholeGroup: true }));
  if (readiness !== 0) return readiness;
  // As in the server's children (jobs/children.ts): with buffers of a hundred megabytes beside it, a small heap is not full.
  const node = [process.execPath, '--initial-old-space-size=256'];
  const serve = [...node, join(root, 'server/bin/uncol.mjs'), 'serve', ...args];
  const [command, ...rest] = boundToThisProcess(serve);
  return await runChild(command, rest, { wholeGroup: false });
}

process.exitCode = await main(process.argv.slice(2));
