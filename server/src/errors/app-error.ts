import { type ErrorCode, errorTable } from './table.ts';

/** What may stand beside a message: numbers, UIDs, attribute keywords. Never patient data. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | readonly (string | number)[]>>;

/**
 * A fault with a stable code from {@link errorTable}.
 *
 * `message` says what was wrong and which value was seen; the table adds what to do. Neither may hold patient data,
 * because both reach the client and the log.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
    this.detail = detail;
  }

  /** HTTP status of the code. */
  get status(): number {
    return errorTable[this.code].status;
  }

  /** What the user can do about it. */
  get hint(): string {
    return errorTable[this.code].hint;
  }
}

/** Wire form for a child process or a job row: loses the cause, keeps all that a user may see. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail: ErrorDetail;
}

/** What the system and PostgreSQL (class 53, 53100) say when the disk is full. */
const diskFullCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', '53100']);

/**
 * Any thrown value as a record; what is not an {@link AppError} becomes `disk-full`, or `internal` without its text (it
 * may hold PHI).
 */
export function toErrorRecord(error: unknown): ErrorRecord {
  if (error instanceof AppError) return { code: error.code, message: error.message, detail: error.detail };
  if (diskFullCodes.has((error as { code?: unknown } | undefined)?.code)) {
    return { code: 'disk-full', message: 'There is no space left on the disk.', detail: {} };
  }
  return { code: 'internal', message: 'An unexpected fault stopped this action.', detail: {} };
}

/** The inverse of {@link toErrorRecord}. */
export function fromErrorRecord(record: ErrorRecord): AppError {
  return new AppError(record.code, record.message, record.detail);
}
