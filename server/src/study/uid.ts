import { AppError } from '../errors/app-error.ts';

/** Digits in dotted components, at most 64 characters (PS3.5 9.1). Leading zeros occur in the field and are let through. */
const uidForm = /^[0-9]+(\.[0-9]+)*$/;

/** True for text that may stand in a URL as a UID. */
export function isUid(text: string): boolean {
  return text.length <= 64 && uidForm.test(text);
}

/** The text itself when it is a UID. @throws AppError `request-invalid` */
export function checkUid(text: string, attribute: string): string {
  if (isUid(text)) return text;
  throw new AppError('request-invalid', `${attribute} is not a UID (${text.length} characters).`, { attribute });
}
