import { loadSettings, maskSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { engineName } from '../engine/choose.ts';
import { availableThreads } from '../engine/threads.ts';
import { toErrorRecord } from '../errors/app-error.ts';
import { readWeights } from '../registry/registry.ts';
import { readPacsAccess } from '../setup/pacs-access.ts';
import { createPacs } from '../study/dicomweb.ts';
import { chooseProfile, products } from '../study/pacs-profiles.ts';
import { threadsOf } from './engine.ts';
import { chooseTried, type EngineRow, type TriedEngine, tryEngines } from './engine-trials.ts';
import type { Outcome } from './output.ts';
import { openRegistry, withDatabase } from './state.ts';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly found: string;
}

/** Checks each part, tries each engine, and prints the settings in force, secrets masked. Fails when a part fails. */
export async function runDoctor(): Promise<Outcome> {
  const settings = loadSettings();
  const shown = maskSettings(settings);
  const engines = await tryAll(settings);
  const checks = [
    await check('engine', () => describeEngine(settings, engines)),
    await check('pacs', () => describePacs(settings)),
    await check('pacs profile', async () => describeProfile(settings)),
    await check('database', () => describeDatabase(settings)),
    ...(await checkModels(settings)),
  ];
  const lines = [
    'Settings',
    ...Object.entries(shown).map(([key, value]) => `  ${key.padEnd(22)} ${String(value)}`),
    'Checks',
    ...checks.map(({ name, ok, found }) => `  ${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(20)} ${found}`),
    'Engines, in the order of choice',
    ...engines.map(({ row }) => `  ${row.ok ? 'ok  ' : '-   '} ${engineName(row).padEnd(20)} ${describeTrial(row)}`),
  ];
  const rows = engines.map(({ row }) => row);
  return {
    json: { node: process.version, settings: shown, checks, engines: rows },
    lines,
    failed: checks.some(({ ok }) => !ok),
  };
}

async function check(name: string, work: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, found: await work() };
  } catch (error) {
    const { code, message } = toErrorRecord(error);
    return { name, ok: false, found: `${code}: ${message}` };
  }
}

/** None where the runtime cannot be loaded: its binary may not fit the machine. The check of the engine says so. */
async function tryAll(settings: Settings): Promise<readonly TriedEngine[]> {
  const candidates = await loadCandidates().catch(() => []);
  return tryEngines(candidates, threadsOf(settings));
}

async function loadCandidates() {
  const { engineCandidates } = await import('../engine/candidates.ts');
  return engineCandidates;
}

/** What would be chosen, by the trials. */
async function describeEngine(settings: Settings, engines: readonly TriedEngine[]): Promise<string> {
  await loadCandidates();
  const name = await chooseTried(settings.engine, engines);
  const { count, reason } = availableThreads();
  const used = settings.threads === undefined ? `${count} threads` : `${settings.threads} threads (UNCOL_THREADS)`;
  return `${name} (UNCOL_ENGINE ${settings.engine}), ${used}: ${reason}`;
}

function describeTrial({ stepMs, maxRelativeDifference, reason }: EngineRow): string {
  const time = stepMs === null ? [] : [`training step ${stepMs} ms`];
  const difference = maxRelativeDifference === null ? [] : [`differs by ${maxRelativeDifference.toExponential(1)}`];
  return [...time, ...difference, ...(reason === null ? [] : [reason])].join(', ');
}

async function describePacs(settings: Settings): Promise<string> {
  if (settings.pacsUrl === undefined) return 'own Orthanc, started and ended by `uncol serve`';
  const { pacsUrl: url, pacsIdleSeconds: idleSeconds } = settings;
  const profile = chooseProfile(settings.pacsProfile, url).name;
  const pacs = createPacs({ url, ...(await readPacsAccess(settings)), idleSeconds, retries: 0, profile });
  try {
    await pacs.echo(AbortSignal.timeout(10_000));
    return 'answers a search';
  } finally {
    await pacs.close();
  }
}

function describeProfile(settings: Settings): string {
  const { name, by } = chooseProfile(settings.pacsProfile, settings.pacsUrl);
  const product = products[name];
  const trust = product.tested ? 'tested' : 'untested with it: as documented';
  return `${name} (${product.name}), by ${by}; ${trust}`;
}

function describeDatabase(settings: Settings): Promise<string> {
  return withDatabase(settings, async (database) => {
    if (!database) return 'embedded, not made yet: the first `uncol serve` makes it';
    const [row] = await database.query<{ version: string; schema: number }>(
      `select current_setting('server_version') as version, (select max(version) from schema_version) as schema`,
    );
    const kind = settings.databaseUrl === undefined ? 'embedded' : 'external';
    return `${kind} PostgreSQL ${row?.version}, schema version ${row?.schema}`;
  });
}

async function checkModels(settings: Settings): Promise<readonly Check[]> {
  try {
    const registry = openRegistry(settings, undefined);
    const versions = await registry.list();
    if (versions.length === 0) return [{ name: 'models', ok: false, found: 'none' }];
    const checks = versions.map((model) =>
      check(`${model.card.name}@${model.card.version}`, async () => {
        const resolved = await registry.resolve(`${model.card.name}@${model.card.version}`);
        const bytes = await readWeights(resolved);
        const signed = model.origin === 'service' ? ', signed by this server' : '';
        return `${model.origin}, ${(bytes.length / 1e6).toFixed(1)} MB, sha256 as its card says${signed}`;
      }),
    );
    return Promise.all(checks);
  } catch (error) {
    return [{ name: 'models', ok: false, found: toErrorRecord(error).message }];
  }
}
