import { AppError } from '../errors/app-error.ts';

/** A PACS that asks for patience is not asked again earlier, but nobody waits longer than this for one try. */
const mostPatienceMs = 60_000;

/**
 * What an answer means that is none of those expected: a fault of the moment (5xx; 429, RFC 6585 4), which a later try may
 * not meet, or one that stays.
 *
 * @param retryAfter value of the header Retry-After (RFC 9110 10.2.3), seconds or a date.
 */
export function answerError(status: number, retryAfter: string | null | undefined, cause?: unknown): AppError {
  const isOfTheMoment = status >= 500 || status === 429;
  const waitMs = isOfTheMoment ? patienceOf(retryAfter) : undefined;
  return new AppError(
    isOfTheMoment ? 'pacs-unreachable' : 'pacs-answer-invalid',
    `The PACS answered ${status}.`,
    { status, ...(waitMs === undefined ? {} : { waitMs }) },
    { cause },
  );
}

/** How long the PACS asked to wait before the next try; 0 where it did not. */
export function askedWaitMs({ detail }: AppError): number {
  return Number(detail['waitMs'] ?? 0);
}

function patienceOf(retryAfter: string | null | undefined): number | undefined {
  if (!retryAfter) return undefined;
  const ms = /^\s*\d+\s*$/.test(retryAfter) ? 1000 * Number(retryAfter) : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), mostPatienceMs) : undefined;
}
