import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { type Settings, secretSettings, settingsSchema } from './schema.ts';

/** Environment variables as read from `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const prefix = 'UNCOL_';
const fileVariable = 'UNCOL_CONFIG_FILE';
const keys = Object.keys(settingsSchema.shape) as (keyof Settings)[];

/** Name of the environment variable that sets `key`: `pacsUrl` is `UNCOL_PACS_URL`; `databaseUrl` is `DATABASE_URL`. */
export function variableOf(key: keyof Settings): string {
  if (key === 'databaseUrl') return 'DATABASE_URL';
  return prefix + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * The settings in force: environment over file over defaults, frozen.
 *
 * @throws AppError `config-invalid`, naming every problem at once: a value out of range, an unknown key of the file, an
 * unknown `UNCOL_*` variable, an unreadable file, an address beyond loopback without an OIDC issuer, run lengths
 * for single bits, a profile without a PACS that it is of.
 */
export function loadSettings(environment: Environment = process.env): Settings {
  const problems: string[] = [];
  const values = { home: defaultHome(environment), ...readFile(environment[fileVariable], problems) };
  const fromEnvironment = readVariables(environment, problems);
  const parsed = settingsSchema.safeParse({ ...values, ...fromEnvironment });
  for (const issue of parsed.error?.issues ?? []) problems.push(describe(issue, fromEnvironment));
  if (parsed.success && !isLoopback(parsed.data.host) && !parsed.data.oidcIssuer) {
    problems.push(`UNCOL_HOST ${parsed.data.host} is beyond loopback and needs UNCOL_OIDC_ISSUER`);
  }
  if (parsed.success && parsed.data.segPixels === 'rle' && parsed.data.segType === 'binary') {
    problems.push('UNCOL_SEG_PIXELS rle needs UNCOL_SEG_TYPE labelmap: run lengths are not defined for single bits');
  }
  if (parsed.success && parsed.data.pacsProfile !== undefined && parsed.data.pacsUrl === undefined) {
    problems.push('UNCOL_PACS_PROFILE needs UNCOL_PACS_URL: what the own PACS is, is known');
  }
  if (!parsed.success || problems.length > 0) {
    throw new AppError('config-invalid', `${problems.length} setting(s) not valid: ${problems.join('; ')}.`);
  }
  return Object.freeze(parsed.data);
}

/** Settings for printing: every secret, and every password inside a URL, is replaced by `***`. */
export function maskSettings(settings: Settings): Readonly<Record<string, unknown>> {
  const masked = Object.entries(settings).map(([key, value]) => {
    if (secretSettings.has(key as keyof Settings)) return [key, '***'];
    return [key, typeof value === 'string' ? value.replace(/(:\/\/)[^/@\s]*@/, '$1***@') : value];
  });
  return Object.fromEntries(masked);
}

function defaultHome(environment: Environment): string {
  return join(environment['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'uncol');
}

function readFile(path: string | undefined, problems: string[]): Record<string, unknown> {
  if (!path) return {};
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
    problems.push(`${fileVariable} ${path} must hold one JSON object`);
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    problems.push(`${fileVariable} ${path} ${reason}`);
  }
  return {};
}

function readVariables(environment: Environment, problems: string[]): Record<string, string> {
  const keyOf = new Map(keys.map((key) => [variableOf(key), key]));
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    const key = keyOf.get(name);
    // An empty variable is how shells and unit files unset one.
    if (key && value) found[key] = value;
    else if (!key && name.startsWith(prefix) && name !== fileVariable) problems.push(`${name} is not a setting`);
  }
  return found;
}

function describe(
  issue: { readonly code?: string; readonly path: readonly PropertyKey[]; readonly message: string },
  fromEnvironment: Readonly<Record<string, string>>,
): string {
  const key = issue.path[0] as keyof Settings | undefined;
  if (key === undefined) return issue.message.replace('Unrecognized', 'unrecognized');
  // The value of a secret must not reach the terminal or the log.
  const seen = key in fromEnvironment && !secretSettings.has(key) ? ` (seen "${fromEnvironment[key]}")` : '';
  return `${key in fromEnvironment ? variableOf(key) : key}: ${issue.message}${seen}`;
}
