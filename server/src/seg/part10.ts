import dcmjs from 'dcmjs';
import { AppError } from '../errors/app-error.ts';

const { DicomMetaDictionary, DicomDict } = dcmjs.data;

const explicitLittleEndian = '1.2.840.10008.1.2.1';
const implementationClassUid = '2.25.182735190352471680923847561029384756102';

/** A data set by DICOM keywords; `undefined` values are left out. `_vrMap` settles attributes of several possible VRs. */
export type DataSet = Readonly<Record<string, unknown>>;

/**
 * A data set as a DICOM file (PS3.10 7), Explicit VR Little Endian, text in UTF-8.
 *
 * @throws AppError `series-not-writable`: an attribute does not fit its value representation.
 */
export function encodePart10(dataSet: DataSet): Uint8Array {
  const defined = Object.fromEntries(Object.entries(dataSet).filter(([, value]) => value !== undefined));
  const meta = DicomMetaDictionary.denaturalizeDataset({
    FileMetaInformationVersion: new Uint8Array([0, 1]).buffer,
    MediaStorageSOPClassUID: dataSet['SOPClassUID'],
    MediaStorageSOPInstanceUID: dataSet['SOPInstanceUID'],
    TransferSyntaxUID: explicitLittleEndian,
    ImplementationClassUID: implementationClassUid,
    ImplementationVersionName: 'UNCOL_OHIF',
  });
  try {
    const dictionary = new DicomDict(meta);
    dictionary.dict = DicomMetaDictionary.denaturalizeDataset({ ...defined, SpecificCharacterSet: 'ISO_IR 192' });
    return new Uint8Array(dictionary.write({ allowInvalidVRLength: false }));
  } catch (cause) {
    throw new AppError('series-not-writable', 'The object cannot be encoded as DICOM.', {}, { cause });
  }
}

/** A number as a Decimal String: at most 16 characters (PS3.5 6.2), as exact as they allow. */
export function decimalString(value: number): string {
  for (let digits = 15; digits > 0; digits--) {
    const text = String(Number(value.toPrecision(digits)));
    if (text.length <= 16) return text;
  }
  return '0';
}
