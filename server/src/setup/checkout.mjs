// Plain JavaScript without dependencies: it runs in a fresh clone, before any package is installed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createSteps } from './steps.mjs';

const BUNDLE_FOLDER = 'extension/dist';
const BUNDLE_STAMP = `${BUNDLE_FOLDER}/.inputs`;
const KEPT_LINES = 15;
const BUSY = 75;
/** Packages that fetch libraries while they are installed; out of reach, npm leaves them out with all they need. */
const MAY_FAIL = ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'];

/**
 * Whether the installed packages are those of the lock file, and the viewer's bundle is that of its sources.
 * @param {string} root Folder of the checkout.
 */
export function isReady(root) {
  return packagesMatch(root) && bundleMatches(root);
}

/**
 * Brings packages and bundle up to date, by a child that alone holds the checkout, so that two starts at once do not
 * disturb each other. Answers its exit code; the child shows the steps.
 * @param {string} root
 * @param {(command: string, args: readonly string[]) => Promise<number>} run Runs a child to its end.
 */
export async function makeReady(root, run) {
  if (isReady(root)) return 0;
  const script = [process.execPath, join(root, 'server/src/setup/checkout.mjs'), root];
  const lock = ['--no-fork', join(root, 'package-lock.json'), ...script];
  const code = await run('flock', ['--nonblock', '--conflict-exit-code', String(BUSY), ...lock]);
  if (code !== BUSY) return code;
  process.stderr.write('Another start is installing in this folder; waiting for it.\n');
  return await run('flock', lock);
}

/**
 * Whether the installed packages are those of the lock file, but for what need not be there. npm notes what it installed
 * at the end of an installation, so an interrupted one is seen, and so is another lock.
 * @param {string} root
 */
export function packagesMatch(root) {
  try {
    const wanted = readPackages(join(root, 'package-lock.json'));
    const found = readPackages(join(root, 'node_modules/.package-lock.json'));
    const missing = Object.entries(wanted).filter(([path]) => found[path] === undefined);
    const differing = Object.entries(found).filter(([path, entry]) => wanted[path]?.integrity !== entry.integrity);
    const failing = withDependencies(MAY_FAIL, wanted);
    const mayMiss = ([path, entry]) =>
      entry.optional === true && (!fitsMachine(entry) || failing.has(packageNameOf(path)));
    return differing.length === 0 && missing.every(mayMiss);
  } catch {
    return false;
  }
}

function readPackages(path) {
  const { packages } = JSON.parse(readFileSync(path, 'utf8'));
  const installed = ([name, entry]) => name.startsWith('node_modules/') && entry.link !== true;
  return Object.fromEntries(Object.entries(packages).filter(installed));
}

/** Names of these packages and of all that they need, by the lock file. */
function withDependencies(names, packages) {
  const reached = new Set(names);
  // A set hands out what is added while it is walked.
  for (const name of reached) {
    const entries = Object.entries(packages).filter(([path]) => packageNameOf(path) === name);
    for (const [, { dependencies }] of entries)
      for (const needed of Object.keys(dependencies ?? {})) reached.add(needed);
  }
  return reached;
}

/** `node_modules/a/node_modules/@b/c` is `@b/c`. */
function packageNameOf(path) {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function fitsMachine({ os, cpu, libc }) {
  const fits = (list, value) => list === undefined || list.includes(value());
  return fits(os, () => process.platform) && fits(cpu, () => process.arch) && fits(libc, cLibrary);
}

/** The report is slow to make, so it is asked for only where a package names a C library. */
function cLibrary() {
  return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

function bundleMatches(root) {
  const stamp = join(root, BUNDLE_STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === bundleInputs(root);
}

/** Hash over everything that the bundle is made of. */
function bundleInputs(root) {
  const folder = join(root, 'extension');
  const sources = readdirSync(join(folder, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const others = [
    'build.mjs',
    'package.json',
    '../package-lock.json',
    '../server/src/http/contract.ts',
    '../server/src/http/contract-learning.ts',
  ];
  const hash = createHash('sha256');
  for (const path of [...sources, ...others.map((name) => join(folder, name))]) {
    hash.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}

async function installPackages(root, progress) {
  const total = Object.values(readPackages(join(root, 'package-lock.json'))).filter(fitsMachine).length;
  const fetched = new Set();
  const onLine = (line) => {
    const tarball = /^npm http \S+ .*?(\S+\.tgz)/.exec(line)?.[1];
    if (tarball === undefined) return;
    fetched.add(tarball);
    const share = Math.min(1, fetched.size / total);
    progress(0.95 * share, share === 1 ? 'unpacking' : `${fetched.size} of ${total} packages`);
  };
  await runNpm(root, ['ci', '--loglevel', 'http', '--no-audit', '--no-fund'], onLine);
}

async function buildBundle(root) {
  const inputs = bundleInputs(root);
  await runNpm(root, ['run', 'build', '--workspace', 'extension']);
  writeFileSync(join(root, BUNDLE_STAMP), inputs);
}

/** Without a shell, and without the settings of an outer `npm start`. */
function runNpm(root, args, onLine = () => {}) {
  const script = process.env.npm_execpath;
  const command = script?.endsWith('npm-cli.js') ? [process.execPath, script, ...args] : ['npm', ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines = [];
    let rest = '';
    const take = (bytes) => {
      const parts = (rest + bytes).split('\n');
      rest = parts.pop();
      for (const line of parts) {
        onLine(line);
        if (!line.startsWith('npm http')) lines.push(line);
      }
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else
        reject(new Error(`npm ${args[0]} ended with code ${code}:\n${[...lines, rest].slice(-KEPT_LINES).join('\n')}`));
    });
  });
}

async function main(root) {
  const steps = createSteps();
  if (!packagesMatch(root)) await steps.run('Node packages', (progress) => installPackages(root, progress));
  if (!bundleMatches(root)) await steps.run('Viewer extension', () => buildBundle(root));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(process.argv[2]).catch((error) => {
    process.stderr.write(`${error.message}\nRun the same command again to resume.\n`);
    process.exitCode = 1;
  });
}
