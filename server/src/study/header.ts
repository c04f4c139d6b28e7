import { type TextDecode, textDecoder } from './character-set.ts';
import { type DataSet, valueBytes } from './part10.ts';
import type { HeaderAttributes } from './source-series.ts';

/**
 * Attributes that derived objects carry over: Patient (PS3.3 C.7.1.1), General Study (C.7.2.1), Patient Study (C.7.2.2),
 * Frame of Reference (C.7.4.1) and the lossy history (C.7.6.1.1.5).
 */
const tags = {
  PatientName: 'x00100010',
  PatientID: 'x00100020',
  IssuerOfPatientID: 'x00100021',
  PatientBirthDate: 'x00100030',
  PatientBirthTime: 'x00100032',
  PatientSex: 'x00100040',
  OtherPatientIDs: 'x00101000',
  PatientAge: 'x00101010',
  PatientSize: 'x00101020',
  PatientWeight: 'x00101030',
  EthnicGroup: 'x00102160',
  Occupation: 'x00102180',
  AdditionalPatientHistory: 'x001021b0',
  PatientComments: 'x00104000',
  PatientIdentityRemoved: 'x00120062',
  DeidentificationMethod: 'x00120063',
  StudyInstanceUID: 'x0020000d',
  StudyDate: 'x00080020',
  StudyTime: 'x00080030',
  AccessionNumber: 'x00080050',
  ReferringPhysicianName: 'x00080090',
  StudyDescription: 'x00081030',
  StudyID: 'x00200010',
  FrameOfReferenceUID: 'x00200052',
  PositionReferenceIndicator: 'x00201040',
  LossyImageCompression: 'x00282110',
  LossyImageCompressionRatio: 'x00282112',
  LossyImageCompressionMethod: 'x00282114',
} as const;

const tagsOfCodes = {
  DeidentificationMethodCodeSequence: 'x00120064',
  ProcedureCodeSequence: 'x00081032',
} as const;

const tagsInCode = {
  CodeValue: 'x00080100',
  CodingSchemeDesignator: 'x00080102',
  CodingSchemeVersion: 'x00080103',
  CodeMeaning: 'x00080104',
} as const;

/** Attributes with several values; of the others a backslash is part of the text. */
const multiple: ReadonlySet<string> = new Set([
  'OtherPatientIDs',
  'DeidentificationMethod',
  'LossyImageCompressionRatio',
  'LossyImageCompressionMethod',
]);

/**
 * Patient and study attributes of a source object: keyword to text, to a list of texts, or to a list of code items.
 * Absent attributes are left out, empty ones are `''`. Values are as written, not repaired. Holds PHI.
 */
export function readHeader(dataSet: DataSet): HeaderAttributes {
  const decode = textDecoder(characterSets(dataSet) ?? []);
  const header: Record<string, unknown> = readTexts(dataSet, tags, decode);
  for (const [keyword, tag] of Object.entries(tagsOfCodes)) {
    const items = dataSet.elements[tag]?.items ?? [];
    const codes = items.flatMap(({ dataSet: item }) => {
      if (item === undefined) return [];
      // An item may name its own character set, otherwise that of its parent holds (PS3.3 C.12.1.1.2).
      const own = characterSets(item);
      return [readTexts(item, tagsInCode, own ? textDecoder(own) : decode)];
    });
    if (codes.length > 0) header[keyword] = codes;
  }
  return header;
}

/**
 * One decoded text value, for listings.
 *
 * @param parent the data set an item lies in: its character set holds where the item names none (PS3.3 C.12.1.1.2).
 */
export function readText(dataSet: DataSet, tag: string, parent: DataSet = dataSet): string | undefined {
  const sets = characterSets(dataSet) ?? characterSets(parent) ?? [];
  return readTexts(dataSet, { value: tag }, textDecoder(sets))['value'] as string | undefined;
}

function characterSets(dataSet: DataSet): readonly string[] | undefined {
  const element = dataSet.elements['x00080005'];
  if (element === undefined) return undefined;
  return new TextDecoder('latin1').decode(valueBytes(dataSet, element)).replaceAll('\0', '').split('\\');
}

function readTexts(
  dataSet: DataSet,
  wanted: Readonly<Record<string, string>>,
  decode: TextDecode,
): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [keyword, tag] of Object.entries(wanted)) {
    const element = dataSet.elements[tag];
    if (element === undefined) continue;
    const text = trimPadding(decode(valueBytes(dataSet, element)));
    found[keyword] = multiple.has(keyword) && text.includes('\\') ? text.split('\\').map(trimPadding) : text;
  }
  return found;
}

/** Trailing NULs and blanks pad a value to an even length; leading blanks are not significant here (PS3.5 6.2). */
function trimPadding(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === '\0' || text[end - 1] === ' ')) end--;
  return text.slice(0, end).trimStart();
}
