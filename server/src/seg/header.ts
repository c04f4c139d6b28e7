import type { HeaderAttributes } from '../study/source-series.ts';

/** Attributes copied into derived objects: those of the Patient, General Study and Patient Study modules. */
export const copied = {
  // Type 2 attributes stay, empty when the source has none (PS3.3 C.7.1.1, C.7.2.1).
  PatientName: { vr: 'PN', required: true },
  PatientID: { vr: 'LO', required: true },
  PatientBirthDate: { vr: 'DA', required: true },
  PatientSex: { vr: 'CS', required: true },
  StudyDate: { vr: 'DA', required: true },
  StudyTime: { vr: 'TM', required: true },
  ReferringPhysicianName: { vr: 'PN', required: true },
  StudyID: { vr: 'SH', required: true },
  AccessionNumber: { vr: 'SH', required: true },
  IssuerOfPatientID: { vr: 'LO', required: false },
  StudyDescription: { vr: 'LO', required: false },
  PatientAge: { vr: 'AS', required: false },
  PatientSize: { vr: 'DS', required: false },
  PatientWeight: { vr: 'DS', required: false },
} as const;

type Keyword = keyof typeof copied;

export interface RepairedHeader {
  readonly attributes: Readonly<Record<Keyword | string, string | readonly string[] | readonly PersonName[]>>;
  /** What was shortened or left out: attribute names and lengths only, no values. */
  readonly notes: readonly string[];
}

export interface PersonName {
  readonly Alphabetic: string;
  readonly Ideographic?: string;
  readonly Phonetic?: string;
}

const longest = { LO: 64, SH: 16, CS: 16, DS: 16, DA: 8, TM: 14, AS: 4 } as const;
const form = {
  DS: /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/,
  DA: /^\d{8}$/,
  TM: /^\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?$/,
  AS: /^\d{3}[DWMY]$/,
  CS: /^[A-Z0-9 _]*$/,
} as const;

/**
 * The source attributes that a derived object carries, made valid: text too long for its value representation is cut,
 * an ill-formed number, date or code is left out (emptied when the attribute must be there). PS3.5 6.2.
 * UIDs are not touched here: they are copied by the writer as they are.
 */
export function repairHeader(header: HeaderAttributes): RepairedHeader {
  const attributes: Record<string, string | readonly PersonName[]> = {};
  const notes: string[] = [];
  for (const [keyword, { vr, required }] of Object.entries(copied)) {
    const value = header[keyword];
    if (value === undefined || value === null || value === '') {
      if (required) attributes[keyword] = vr === 'PN' ? [] : '';
      continue;
    }
    if (vr === 'PN') {
      attributes[keyword] = repairName(keyword, value, notes);
      continue;
    }
    const text = String(Array.isArray(value) ? (value[0] ?? '') : value);
    const repaired = repairText(keyword, vr, text, notes);
    if (repaired !== undefined) attributes[keyword] = repaired;
    else if (required) attributes[keyword] = '';
  }
  return { attributes, notes };
}

/**
 * How a lossy source was compressed (PS3.3 C.7.6.1.1.5), valid or left out: the values of an attribute belong to successive
 * compressions, so that it is taken as a whole.
 */
export function repairCompression(header: HeaderAttributes): RepairedHeader {
  const attributes: Record<string, readonly string[]> = {};
  const notes: string[] = [];
  for (const [keyword, vr] of [
    ['LossyImageCompressionRatio', 'DS'],
    ['LossyImageCompressionMethod', 'CS'],
  ] as const) {
    const value = header[keyword];
    if (value === undefined || value === '') continue;
    const texts = (Array.isArray(value) ? value : [value]).map(String);
    const repaired = texts.flatMap((text) => repairText(keyword, vr, text, notes) ?? []);
    if (repaired.length === texts.length) attributes[keyword] = repaired;
  }
  return { attributes, notes };
}

function repairText(keyword: string, vr: keyof typeof longest, text: string, notes: string[]): string | undefined {
  const pattern = vr in form ? form[vr as keyof typeof form] : undefined;
  if (pattern && !(pattern.test(text) && text.length <= longest[vr])) {
    notes.push(`${keyword} of the source is not a valid ${vr} and is left out.`);
    return undefined;
  }
  const printable = withoutControls(keyword, text, notes);
  if (printable.length <= longest[vr]) return printable;
  notes.push(`${keyword} of the source has ${printable.length} characters and is cut to ${longest[vr]}.`);
  return printable.slice(0, longest[vr]);
}

/** A backslash separates values and control characters are not text (PS3.5 6.2): neither may stand in a copied text. */
function withoutControls(keyword: string, text: string, notes: string[]): string {
  const isBad = (c: string) => c === '\\' || c < ' ' || c === '\x7f';
  const characters = [...text];
  if (!characters.some(isBad)) return text.trimEnd();
  notes.push(`${keyword} of the source has a backslash or a control character, and a blank in its place.`);
  return characters
    .map((c) => (isBad(c) ? ' ' : c))
    .join('')
    .trimEnd();
}

function repairName(keyword: string, value: unknown, notes: string[]): readonly PersonName[] {
  const groups = nameGroups(value).map((group) => {
    const printable = withoutControls(keyword, group, notes);
    if (printable.length <= 64) return printable;
    notes.push(`${keyword} of the source has a part of ${printable.length} characters and is cut to 64.`);
    return cutName(printable);
  });
  const [alphabetic = '', ideographic, phonetic] = groups;
  return [
    {
      Alphabetic: alphabetic,
      ...(ideographic ? { Ideographic: ideographic } : {}),
      ...(phonetic ? { Phonetic: phonetic } : {}),
    },
  ];
}

/** Shortens the longest component until the group fits, so that family and given name both stay. */
function cutName(group: string): string {
  const components = group.split('^');
  for (let excess = group.length - 64; excess > 0; excess--) {
    const longestAt = components.reduce((at, text, i) => (text.length > (components[at]?.length ?? 0) ? i : at), 0);
    components[longestAt] = components[longestAt]?.slice(0, -1) ?? '';
  }
  return components.join('^');
}

function nameGroups(value: unknown): readonly string[] {
  const first = Array.isArray(value) ? value[0] : value;
  if (typeof first === 'object' && first !== null) {
    const name = first as Partial<PersonName>;
    return [name.Alphabetic ?? '', name.Ideographic ?? '', name.Phonetic ?? ''];
  }
  return String(first ?? '').split('=');
}
