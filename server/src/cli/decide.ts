import { loadSettings } from '../config/load.ts';
import { AppError } from '../errors/app-error.ts';
import { hold, release } from '../promotion/hold.ts';
import { rollBack, serveVersion } from '../promotion/promote.ts';
import type { Registry } from '../registry/registry.ts';
import type { Database } from '../store/database.ts';
import type { HoldTable } from '../store/holds.ts';
import type { Outcome } from './output.ts';
import { openRegistry, withDatabase } from './state.ts';

/** How the record names who decides at the command line. */
const actor = 'command-line';

/** Puts a version in service, a candidate that waits or an earlier one again; a running server takes it up at once. */
export function runPromote(named: string, reason: string): Promise<Outcome> {
  return decide(async ({ database, registry }) => {
    const [name = '', version = ''] = named.split('@');
    await registry.resolve(named);
    const inService = (await registry.resolve(name)).card.version;
    await serveVersion(database, { name, version: Number(version), inService }, { actor, reason });
    return name;
  });
}

/** Takes back the latest promotion of a model. */
export function runRollback(name: string, reason: string): Promise<Outcome> {
  return decide(async ({ database, registry }) => {
    await registry.resolve(name);
    await rollBack(database, name, { actor, reason });
    return name;
  });
}

/** Stops rounds of a model, or keeps its version. */
export function runHold(table: HoldTable, name: string, reason: string): Promise<Outcome> {
  return decide(async ({ database, registry }) => {
    await registry.resolve(name);
    await hold(database, table, name, { actor, reason });
    return name;
  });
}

/** Takes such a stop away. */
export function runRelease(table: HoldTable, name: string): Promise<Outcome> {
  return decide(async ({ database, registry }) => {
    await registry.resolve(name);
    await release(database, table, name, actor);
    return name;
  });
}

interface State {
  readonly database: Database;
  readonly registry: Registry;
}

/** @param act returns the model that it was about. */
function decide(act: (state: State) => Promise<string>): Promise<Outcome> {
  const settings = loadSettings();
  return withDatabase(settings, async (database) => {
    if (!database) throw new AppError('promotion-not-possible', `Nothing was ever served from ${settings.home}.`);
    const name = await act({ database, registry: openRegistry(settings, database) });
    const { card } = await openRegistry(settings, database).resolve(name);
    return { json: { name, inService: card.version }, lines: [`${name}@${card.version} is in service.`] };
  });
}
