import pg from 'pg';
import { AppError } from '../errors/app-error.ts';

/** Values that a statement may carry. */
export type SqlValue = string | number | boolean | Date | null | Uint8Array | readonly (string | number | null)[];

/** Where a statement can run: the pool or an open transaction. */
export interface Queryable {
  /** Rows of one statement. Rejects with `database-unavailable` when the server is gone. */
  query<Row extends object>(text: string, values?: readonly SqlValue[]): Promise<readonly Row[]>;
}

/** PostgreSQL, embedded or external: pool, transactions and a listening connection. */
export interface Database extends Queryable {
  /** Connection string: a secret when it holds a password. */
  readonly url: string;
  /** Runs `work` in one transaction: commits its result, rolls back on a throw. */
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  /**
   * Payloads of NOTIFY on `channel` over a connection of its own that reconnects by itself. `onGap` is called after each
   * reconnection: notifications may have been missed.
   */
  listen(channel: string, onPayload: (payload: string) => void, onGap: () => void): Promise<Listening>;
  close(): Promise<void>;
}

export interface Listening {
  close(): Promise<void>;
}

const unavailable = /^(ECONNREFUSED|ENOENT|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|57P0[1-3]|08.{3})$/;

/** Opens a pool on `url`; no connection is made before the first statement. */
export function openDatabase(url: string, options: { readonly connections?: number } = {}): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections ?? 10,
    connectionTimeoutMillis: 10_000,
    application_name: 'uncol',
  });
  // An idle connection that dies is replaced at the next statement; without a listener it would end the process.
  pool.on('error', () => undefined);
  return {
    url,
    query: (text, values) => run(pool, text, values),
    async transaction(work) {
      const client = await pool.connect().catch(refuse);
      try {
        await run(client, 'begin');
        const result = await work({ query: (text, values) => run(client, text, values) });
        await run(client, 'commit');
        client.release();
        return result;
      } catch (error) {
        // A connection that cannot roll back is not given back to the pool.
        await client.query('rollback').then(
          () => client.release(),
          (broken: Error) => client.release(broken),
        );
        throw error;
      }
    },
    listen: (channel, onPayload, onGap) => listen(url, channel, onPayload, onGap),
    close: () => pool.end(),
  };
}

async function run<Row extends object>(
  target: pg.Pool | pg.PoolClient,
  text: string,
  values: readonly SqlValue[] = [],
): Promise<readonly Row[]> {
  const result = await target.query<Row>(text, [...values]).catch(refuse);
  return result.rows;
}

function refuse(cause: unknown): never {
  const code = String((cause as { code?: unknown }).code ?? '');
  const message = cause instanceof Error ? cause.message : '';
  if (unavailable.test(code) || /terminated unexpectedly|timeout exceeded when trying to connect/.test(message)) {
    throw new AppError(
      'database-unavailable',
      `The database does not answer (${code || 'connection ended'}).`,
      {},
      { cause },
    );
  }
  throw cause;
}

async function listen(
  url: string,
  channel: string,
  onPayload: (payload: string) => void,
  onGap: () => void,
): Promise<Listening> {
  let closed = false;
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;

  const connect = async () => {
    const next = new pg.Client({ connectionString: url, keepAlive: true, application_name: 'uncol listener' });
    next.on('error', () => undefined);
    next.on('end', () => again(250));
    next.on('notification', (note) => onPayload(note.payload ?? ''));
    client = next;
    await next.connect();
    await next.query(`listen ${pg.escapeIdentifier(channel)}`);
  };
  const again = (delayMs: number) => {
    if (closed || timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      connect().then(onGap, () => again(Math.min(delayMs * 2, 5000)));
    }, delayMs);
  };
  await connect().catch(refuse);
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await client?.end().catch(() => undefined);
    },
  };
}
