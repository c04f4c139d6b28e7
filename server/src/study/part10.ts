import { inflateRawSync } from 'node:zlib';
import dicomParser, { type DataSet, type Element } from 'dicom-parser';
import { AppError } from '../errors/app-error.ts';

export type { DataSet, Element };

/** A deflated data set may inflate to this: a multi-frame CT of a thousand frames. */
const maxInflatedBytes = 512 * 2 ** 20;

const pixelDataTag = 'x7fe00010';

/** True when the bytes have the preamble and prefix of a DICOM file (PS3.10 7.1). */
export function isPart10(bytes: Uint8Array): boolean {
  return bytes.length > 132 && bytes[128] === 0x44 && bytes[129] === 0x49 && bytes[130] === 0x43 && bytes[131] === 0x4d;
}

/**
 * A DICOM file as a data set; its byte array is the file, or the inflated copy of a deflated one.
 *
 * @param what names the object in a message until its instance number is known, e.g. `Object 12`.
 * @param headerOnly stop before PixelData.
 * @throws AppError `instance-unreadable`
 */
export function parsePart10(bytes: Uint8Array, what: string, headerOnly = false): DataSet {
  if (!isPart10(bytes)) throw unreadable(what, 'is not a DICOM file', { bytes: bytes.length });
  const damaged = (dataSet: DataSet | undefined, cause?: unknown) => {
    const name = dataSet ? instanceName(dataSet, what) : what;
    return unreadable(name, 'is cut off or damaged', { bytes: bytes.length }, cause);
  };
  let dataSet: DataSet;
  try {
    dataSet = dicomParser.parseDicom(bytes, { inflater, ...(headerOnly ? { untilTag: pixelDataTag } : {}) });
  } catch (cause) {
    // The parser throws what it has read so far beside the reason.
    const partial = (cause as { readonly dataSet?: DataSet } | undefined)?.dataSet;
    throw damaged(partial && holdsItsValues(partial, true) ? partial : undefined, cause);
  }
  if (!holdsItsValues(dataSet, headerOnly)) throw damaged(undefined);
  return dataSet;
}

/** Whether every value ends within the file: the parser finds an element by its length and looks at its value later. */
function holdsItsValues({ byteArray, elements }: DataSet, headerOnly: boolean): boolean {
  return Object.values(elements).every(({ tag, dataOffset, length, items }) => {
    if (headerOnly && tag === pixelDataTag) return true;
    const isInside = dataOffset + length <= byteArray.length;
    return isInside && (items ?? []).every(({ dataSet }) => !dataSet || holdsItsValues(dataSet, false));
  });
}

/** `Instance 12` by its InstanceNumber, else `what`. */
export function instanceName(dataSet: DataSet, what: string): string {
  const number = dataSet.string('x00200013')?.trim();
  return number !== undefined && /^[+-]?\d{1,12}$/.test(number) ? `Instance ${number}` : what;
}

/** The error of an object that cannot be read: `what` and the reason, never patient text. */
export function unreadable(
  what: string,
  reason: string,
  detail: Readonly<Record<string, string | number>> = {},
  cause?: unknown,
): AppError {
  return new AppError('instance-unreadable', `${what} ${reason}.`, detail, { cause });
}

/** The bytes of an element's value, as they are in the file. */
export function valueBytes(dataSet: DataSet, element: Element): Uint8Array {
  return dataSet.byteArray.subarray(element.dataOffset, element.dataOffset + element.length);
}

/** The items of a sequence; none where it is absent or empty. */
export function itemsOf(dataSet: DataSet, tag: string): readonly DataSet[] {
  return (dataSet.elements[tag]?.items ?? []).flatMap(({ dataSet: item }) => item ?? []);
}

/**
 * Puts other bytes behind a data set and its items: a copy of those it was read from, or of their beginning, so that it
 * no longer holds on to them.
 */
export function moveOnto(dataSet: DataSet, bytes: Uint8Array): void {
  dataSet.byteArray = bytes;
  for (const { items = [] } of Object.values(dataSet.elements)) {
    for (const { dataSet: item } of items) if (item !== undefined) moveOnto(item, bytes);
  }
}

/** Lets go of PixelData and what follows it; all before it stays readable. */
export function dropPixels(dataSet: DataSet): void {
  const pixelData = dataSet.elements[pixelDataTag];
  if (pixelData === undefined) return;
  dataSet.elements = Object.fromEntries(
    Object.entries(dataSet.elements).filter(([, { dataOffset }]) => dataOffset < pixelData.dataOffset),
  );
  moveOnto(dataSet, new Uint8Array(dataSet.byteArray.subarray(0, pixelData.dataOffset)));
}

function inflater(bytes: Uint8Array, position: number): Uint8Array {
  const body = inflateRawSync(bytes.subarray(position), { maxOutputLength: maxInflatedBytes });
  const whole = new Uint8Array(position + body.length);
  whole.set(bytes.subarray(0, position));
  whole.set(body, position);
  return whole;
}
