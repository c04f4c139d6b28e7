import { z } from 'zod';
import { AppError } from '../errors/app-error.ts';

const sequence = z
  .looseObject({
    Value: z.array(z.record(z.string(), z.looseObject({ Value: z.array(z.unknown()).optional() }))).optional(),
  })
  .optional();

/** Store Instances Response (PS3.18 10.5.3): FailedSOPSequence and ReferencedSOPSequence. */
const stowAnswer = z.looseObject({ '00081198': sequence, '00081199': sequence });

/**
 * Judges a STOW answer by what it names as stored, not by the HTTP status: some servers answer 200 and store nothing.
 *
 * @param body as text or parsed JSON.
 * @param alreadyStored reasons by which the PACS says that it holds this object: an earlier try came through unheard.
 * @throws AppError `pacs-store-failed` with the PACS's failure reason when it gives one.
 */
export function checkStored(body: unknown, sopInstanceUid: string, alreadyStored: readonly number[] = []): void {
  const answer = stowAnswer.safeParse(typeof body === 'string' ? parseJson(body) : body);
  const items = (tag: '00081198' | '00081199') => (answer.success ? (answer.data[tag]?.Value ?? []) : []);
  if (items('00081199').some((item) => item['00081155']?.Value?.[0] === sopInstanceUid)) return;
  const failed = items('00081198')[0];
  const reason = failed?.['00081197']?.Value?.[0];
  const failureReason = typeof reason === 'number' ? reason : 0;
  if (failed?.['00081155']?.Value?.[0] === sopInstanceUid && alreadyStored.includes(failureReason)) return;
  throw new AppError(
    'pacs-store-failed',
    failureReason > 0
      ? `The PACS refused the object (reason ${failureReason}).`
      : 'The PACS did not confirm the object.',
    { sopInstanceUid, failureReason },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
