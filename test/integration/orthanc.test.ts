import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppError } from '../../server/src/errors/app-error.ts';
import { identify } from '../../server/src/setup/leftover.ts';
import { type Orthanc, startOrthanc } from '../../server/src/setup/orthanc.ts';

let home: string;
let orthanc: Orthanc;
const lines: string[] = [];
const start = () => startOrthanc({ home, log: (line) => lines.push(line) });
const basic = (user: Orthanc) =>
  `Basic ${Buffer.from(`${user.credentials.username}:${user.credentials.password}`).toString('base64')}`;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'uncol-orthanc-'));
  orthanc = await start();
});

after(async () => {
  await orthanc.stop();
  await rm(home, { recursive: true });
});

/** Status of a request, or null when nobody answers. */
async function ask(url: string, init: RequestInit = {}): Promise<number | null> {
  try {
    return (await fetch(url, { ...init, signal: AbortSignal.timeout(3000) })).status;
  } catch {
    return null;
  }
}

test('the study list is answered to the right password only', async () => {
  const url = `${orthanc.url}/studies`;
  assert.equal(await ask(url, { headers: { authorization: basic(orthanc) } }), 200);
  assert.equal(await ask(url), 401);
  const wrong = { headers: { authorization: `Basic ${btoa('uncol:wrong')}` } };
  assert.equal(await ask(url, wrong), 401);
});

test('storing without the password is refused', async () => {
  const headers = { 'content-type': 'multipart/related; type="application/dicom"; boundary=b' };
  assert.equal(await ask(`${orthanc.url}/studies`, { method: 'POST', headers, body: '--b--\r\n' }), 401);
});

test('the other addresses of the machine get no study, even with the right password', async () => {
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => !address.internal && address.family === 'IPv4');
  for (const { address } of others) {
    const url = orthanc.url.replace('127.0.0.1', address);
    const status = await ask(`${url}/studies`, { headers: { authorization: basic(orthanc) } });
    assert.ok(status === 401 || status === null, `${address} answered ${status}`);
  }
});

test('Orthanc listens on its HTTP port and on no other: no DIMSE', async () => {
  assert.equal(await listeningPorts(orthanc.pid), 1);
});

test('the password lies on no disk, and what Orthanc writes is private', async () => {
  const folder = join(home, 'orthanc');
  const names = await readdir(folder);
  assert.ok(!names.includes('orthanc.json'));
  assert.ok(!(await readFile(join(folder, 'orthanc.log'), 'utf8')).includes(orthanc.credentials.password));
  assert.equal((await stat(folder)).mode & 0o077, 0);
  assert.equal((await stat(join(folder, 'orthanc.log'))).mode & 0o077, 0);
  assert.ok(!lines.join('\n').includes(orthanc.credentials.password));
});

test('a second server on the same home is refused and does the first no harm', async () => {
  await assert.rejects(start(), (error: AppError) => error.code === 'setup-failed' && /Another/.test(error.message));
  assert.equal(await ask(`${orthanc.url}/studies`, { headers: { authorization: basic(orthanc) } }), 200);
});

test('after stop no process is left, and the next start is quick, with another password', async () => {
  const { pid, credentials } = orthanc;
  await orthanc.stop();
  assert.equal(identify(pid), null);
  await orthanc.stop();
  const startedAt = performance.now();
  orthanc = await start();
  assert.ok(performance.now() - startedAt < 5000);
  assert.notEqual(orthanc.credentials.password, credentials.password);
});

test('Orthanc ends when the server is killed outright, and the next start works', async () => {
  await orthanc.stop();
  const pid = await killedServer(() => {});
  for (let i = 0; i < 200 && identify(pid) !== null; i++) await sleep(50);
  assert.equal(identify(pid), null);
  orthanc = await start();
});

test('an Orthanc that outlives its server is ended by the next start', async () => {
  await orthanc.stop();
  // Stopped, it cannot follow the signal of the kernel; the next start must end it.
  const pid = await killedServer((child) => process.kill(child, 'SIGSTOP'));
  await sleep(200);
  assert.notEqual(identify(pid), null);
  setTimeout(() => process.kill(pid, 'SIGCONT'), 500);
  orthanc = await start();
  assert.equal(identify(pid), null);
  assert.ok(lines.some((line) => line.includes(`pid ${pid}`)));
});

/** Starts Orthanc in a server of its own, kills that server and answers the pid of its Orthanc. */
async function killedServer(beforeKill: (orthancPid: number) => void): Promise<number> {
  const source = new URL('../../server/src/setup/orthanc.ts', import.meta.url).href;
  const script = `import { startOrthanc } from ${JSON.stringify(source)};
    const orthanc = await startOrthanc({ home: ${JSON.stringify(home)}, log: () => {} });
    console.log(orthanc.pid);
    setInterval(() => {}, 1000);`;
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [bytes] = (await once(server.stdout, 'data')) as [Buffer];
  const pid = Number(bytes.toString());
  beforeKill(pid);
  server.kill('SIGKILL');
  await once(server, 'exit');
  return pid;
}

/** How many TCP ports a process listens on, from the kernel's own tables. */
async function listeningPorts(pid: number): Promise<number> {
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  const sockets = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  const rows = tables
    .join('\n')
    .split('\n')
    .map((row) => row.trim().split(/\s+/));
  return rows.filter((row) => row[3] === '0A' && sockets.has(row[9] ?? '')).length;
}
