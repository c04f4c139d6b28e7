import { AppError } from '../errors/app-error.ts';
import type { Database } from '../store/database.ts';
import { type PatientIdentity, resolveSubject, type Subject } from '../store/subjects.ts';
import type { Pacs } from '../study/pacs.ts';

/** What is needed to tell patients apart without keeping who they are. */
export interface SubjectParts {
  readonly database: Database;
  readonly pacs: Pacs;
  /** Keys the hashes of patients. */
  readonly secret: Uint8Array;
  readonly heldOutPercent: number;
}

/**
 * The subject that a study belongs to, as the PACS says; its identity is hashed at once and not kept.
 *
 * @throws AppError `series-not-found` when the PACS does not hold the study.
 */
export async function subjectOf(studyInstanceUid: string, parts: SubjectParts, signal?: AbortSignal): Promise<Subject> {
  const [study] = await parts.pacs.searchStudies({ studyInstanceUid }, signal);
  if (!study) throw new AppError('series-not-found', 'The PACS no longer holds this study.');
  return resolveSubject(parts.database, parts.secret, identityOf(study), parts.heldOutPercent);
}

/** A study without Patient ID is a patient of its own: a blank never merges strangers. */
function identityOf(study: {
  readonly studyInstanceUid: string;
  readonly patientId: string;
  readonly issuerOfPatientId: string;
}): PatientIdentity {
  const { studyInstanceUid, patientId, issuerOfPatientId } = study;
  if (patientId === '') return { patientId: studyInstanceUid, issuerOfPatientId: 'study without patient id' };
  return { patientId, ...(issuerOfPatientId ? { issuerOfPatientId } : {}) };
}
