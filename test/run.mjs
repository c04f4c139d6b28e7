// `npm test [-- FILTER…]`: installs what is missing, checks types and style, runs the tests. Plain JavaScript, because
// it starts in a fresh clone. With a filter (`npm test -- unit/engine`) only the matching files run, without checks.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { makeReady } from '../server/src/setup/checkout.mjs';
import { findTestFiles, kindOf } from './test-files.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const inCi = Boolean(process.env.CI);
const filters = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));

/** Programs of the system that tests need: the real browser, an emulated GPU, independent validators and readers. */
const systemPackages = [
  // An emulated GPU for WebGPU (SwiftShader), and the loader of its driver.
  { name: 'chromium-common', kinds: ['device'] },
  { name: 'libvulkan1', kinds: ['device'] },
  { name: 'chromium', kinds: ['e2e'] },
  { name: 'dicom3tools', kinds: ['conformance', 'e2e'] },
  { name: 'dcmtk', kinds: ['conformance', 'e2e', 'integration'] },
  { name: 'python3-pydicom', kinds: ['conformance', 'e2e', 'integration'] },
  { name: 'python3-numpy', kinds: ['conformance', 'e2e', 'integration'] },
  { name: 'python3-gdcm', kinds: ['integration'] },
  { name: 'python3-nibabel', kinds: ['conformance'] },
  { name: 'teem-apps', kinds: ['conformance'] },
  { name: 'libgdcm-tools', kinds: ['conformance'] },
  { name: 'libopenjp2-tools', kinds: ['conformance'] },
  { name: 'openjph-tools', kinds: ['conformance'] },
];

/** Runs a child that shares our terminal. */
function run(command, args, environment = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment };
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env });
    child.once('error', (error) => {
      process.stderr.write(`${command} cannot be started: ${error.message}\n`);
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function isInstalled(name) {
  const found = spawnSync('dpkg-query', ['--status', name], { encoding: 'utf8' });
  return found.status === 0 && found.stdout.includes('\nStatus: install ok installed\n');
}

/** Installs what the wanted kinds need, or says how; answers the kinds of test that cannot run. */
async function installSystemPackages(kinds) {
  const needed = systemPackages.filter((item) => item.kinds.some((kind) => kinds.has(kind)));
  const missing = () => needed.filter((item) => !isInstalled(item.name));
  const names = missing().map((item) => item.name);
  if (names.length === 0) return new Set();
  const install = ['install', '--yes', '--no-install-recommends', ...names];
  if (process.getuid?.() === 0) {
    process.stderr.write(`Installing for the tests: ${names.join(' ')}\n`);
    const environment = { DEBIAN_FRONTEND: 'noninteractive' };
    const quiet = ['--quiet', '--option', 'Dpkg::Use-Pty=0'];
    await run('apt-get', [...quiet, 'update'], environment);
    await run('apt-get', [...quiet, ...install], environment);
  }
  const stillMissing = missing();
  if (stillMissing.length > 0) {
    process.stderr.write(`Missing: ${stillMissing.map((item) => item.name).join(' ')}. To install them, as root:\n`);
    process.stderr.write(`  apt-get update && apt-get ${install.join(' ')}\n`);
  }
  return new Set(stillMissing.flatMap((item) => item.kinds));
}

async function check() {
  const local = (name) => join(root, 'node_modules/.bin', name);
  const checks = [
    [local('tsc'), '-p', '.'],
    [local('tsc'), '-p', 'extension'],
    [local('biome'), 'check', '.'],
  ];
  for (const [command, ...args] of checks) {
    const code = await run(command, args);
    if (code !== 0) {
      process.stderr.write(`${command.slice(root.length + 1)} ${args.join(' ')} found faults (code ${code}).\n`);
      return code;
    }
  }
  return 0;
}

async function main() {
  const readiness = await makeReady(root, run);
  if (readiness !== 0) return readiness;
  if (filters.length === 0) {
    const code = await check();
    if (code !== 0) return code;
  }
  const files = findTestFiles(root, filters);
  const blocked = await installSystemPackages(new Set(files.map(kindOf)));
  if (blocked.size > 0 && inCi) return 1;
  const runnable = files.filter((file) => !blocked.has(kindOf(file)));
  for (const kind of blocked) process.stderr.write(`SKIPPED: all of test/${kind}, for want of the packages above.\n`);
  // tsx by its full address, so that it is found from any working directory.
  const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/esm/index.mjs')).href;
  return await run(process.execPath, ['--import', tsx, join(root, 'test/run-files.mjs'), ...runnable]);
}

process.exitCode = await main();
