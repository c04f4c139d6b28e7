import { createHmac, randomBytes } from 'node:crypto';
import pino from 'pino';

/** Levels of `UNCOL_LOG_LEVEL`. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * What a log line may carry besides its text: the allow-list. Path redaction leaks at deeper levels, so all other keys
 * are dropped; values must be scalars. UIDs pass only as the short hash of {@link Log.hashUid}.
 */
const allowedKeys = [
  'requestId',
  'jobId',
  'roundId',
  'inferenceId',
  'correctionId',
  'model',
  'version',
  'modelVersion',
  'seriesHash',
  'method',
  'route',
  'status',
  'ms',
  'code',
  'kind',
  'state',
  'stage',
  'percent',
  'outcome',
  'step',
  'attempt',
  'pid',
  'signal',
  'exitCode',
  'port',
  'folder',
  'engine',
  'threads',
  'count',
  'stack',
] as const;

/** Scalars under the allowed keys; what is undefined is left out. */
export type LogFields = { readonly [Key in (typeof allowedKeys)[number]]?: string | number | boolean | undefined };

/** Structured log on stderr: JSON lines without patient data. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every line carries `fields`. */
  with(fields: LogFields): Log;
  /** Ten hex digits of a keyed hash: lines of one series can be matched, the UID cannot be recovered. */
  hashUid(uid: string): string;
}

const allowed: ReadonlySet<string> = new Set(allowedKeys);

/** Drops every key that is not on the allow-list and every value that is not a scalar. */
export function allowOnly(fields: object): Record<string, unknown> {
  const scalar = (value: unknown) => ['string', 'number', 'boolean'].includes(typeof value);
  return Object.fromEntries(Object.entries(fields).filter(([key, value]) => allowed.has(key) && scalar(value)));
}

/**
 * Creates the log.
 * @param key secret of the UID hash; without one, hashes differ from run to run.
 * @param destination where lines go; stderr unless given (stdout belongs to `--json`).
 */
export function createLog(
  level: LogLevel,
  key: Uint8Array = randomBytes(32),
  destination: { write(line: string): void } = pino.destination({ fd: 2, sync: true }),
): Log {
  const base = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { log: allowOnly } },
    destination,
  );
  return wrap(base, {}, key);
}

/** A destination that appends to a file, which only its owner may read. */
export function openLogFile(path: string): { write(line: string): void } {
  return pino.destination({ dest: path, sync: true, mode: 0o600, mkdir: true });
}

/** Class name and code positions of a thrown value: its text stays out, because it may quote an input. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const positions = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [error.name, ...positions.slice(0, 12).map((line) => line.trim())].join(' | ');
}

/** Class name and first word of the code of a thrown value, or of a copy of one: `Error ECONNREFUSED`. No foreign text. */
export function faultOf(error: unknown): string {
  const { name, code, stack } = (error ?? {}) as { name?: unknown; code?: unknown; stack?: unknown };
  // A copy lacks what came from the prototype; the stack of an error begins with its name.
  const shownName = firstWord(name) || firstWord(stack) || typeof error;
  return `${shownName} ${firstWord(code)}`.trimEnd();
}

function firstWord(text: unknown): string {
  return /^[\w-]{1,40}(?![\w-])/.exec(typeof text === 'string' ? text : '')?.[0] ?? '';
}

function wrap(base: pino.Logger, bound: LogFields, key: Uint8Array): Log {
  // Bindings of a pino child would pass by `formatters.log`, so fields are merged here.
  const write = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) =>
    base[level]({ ...bound, ...fields }, message);
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (fields) => wrap(base, { ...bound, ...fields }, key),
    hashUid: (uid) => createHmac('sha256', key).update(uid).digest('hex').slice(0, 10),
  };
}
