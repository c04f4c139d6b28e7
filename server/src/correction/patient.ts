import { AppError } from '../errors/app-error.ts';
import type { PatientIdentity } from '../store/subjects.ts';
import type { Pacs } from '../study/pacs.ts';

/**
 * Who a study belongs to, for keyed hashing only. A study without Patient ID is a patient of its own: a blank never
 * merges strangers.
 *
 * @throws AppError `series-not-found` when the PACS does not hold the study.
 */
export async function patientOf(pacs: Pacs, studyInstanceUid: string, signal?: AbortSignal): Promise<PatientIdentity> {
  const [study] = await pacs.searchStudies({ studyInstanceUid }, signal);
  if (!study) throw new AppError('series-not-found', 'The PACS no longer holds this study.');
  if (study.patientId === '') return { patientId: studyInstanceUid, issuerOfPatientId: 'study without patient id' };
  return {
    patientId: study.patientId,
    ...(study.issuerOfPatientId ? { issuerOfPatientId: study.issuerOfPatientId } : {}),
  };
}
