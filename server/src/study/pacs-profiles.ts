import type { Settings } from '../config/schema.ts';

export type ProfileName = NonNullable<Settings['pacsProfile']>;

/**
 * What differs between PACS products and has to be known before they are asked. What a PACS tells by its answer is no
 * part of it and is found out with each: pages shorter than asked, a media type or a whole series that it does not give,
 * fields that it refuses to add, the three forms of "nothing found", "later".
 */
export interface PacsProfile {
  /** Most rows asked in one page of a search. */
  readonly rowsPerPage: number;
  /** Attributes that a search has to ask for because the PACS does not answer them unasked, by tag. */
  readonly askedFields: { readonly series: readonly string[]; readonly instances: readonly string[] };
  /** Where series can be searched: in the whole PACS, or in a study that is known. */
  readonly seriesSearch: 'everywhere' | 'in a study';
  /** Whether `*` and `?` in a matching value stand for any text and any character. */
  readonly wildcards: boolean;
  /** Whether blanks, which only travel percent-encoded, are matched as what they are. */
  readonly blanks: boolean;
  /** Whether a series can be retrieved whole. */
  readonly wholeSeries: boolean;
  /** Accept values of a retrieval, best first; the next one is tried after 406 and 415. */
  readonly accept: readonly [string, ...string[]];
  /** FailureReason values (0008,1197) that say: this very object is stored already. */
  readonly alreadyStored: readonly number[];
  /** Most bytes of one object that is stored. */
  readonly storeBytes: number;
}

/** One line of a profile. */
export interface ProfileLine<Value> {
  readonly value: Value;
  readonly reason: string;
  /** Where that is documented, or how it was seen. */
  readonly source: string;
}

type Lines = { readonly [Key in keyof PacsProfile]: ProfileLine<PacsProfile[Key]> };

/** A product with the lines in which it is not `generic`. */
export interface Product {
  readonly name: string;
  /** Whether every line was seen at the product itself. */
  readonly tested: boolean;
  /** Host names that only this product has. */
  readonly hosts?: RegExp;
  readonly lines: Partial<Lines>;
}

const line = <Value>(value: Value, reason: string, source: string): ProfileLine<Value> => ({ value, reason, source });

const azure = 'microsoft/dicom-server, docs/resources/v2-conformance-statement.md';
const aws = 'AWS HealthImaging Developer Guide';

/** What holds where nothing else is known: what PS3.18 asks of every PACS, and bounds that none of the known ones is below. */
export const generic: Lines = {
  rowsPerPage: line(200, 'the least bound among the products below; longer lists take more pages', `${azure}, Search`),
  askedFields: line(
    { series: ['00180015'], instances: [] },
    'BodyPartExamined, which no PACS has to answer unasked; all else has to come',
    'PS3.18 10.6.3.3',
  ),
  seriesSearch: line('everywhere', 'the resource "all series" belongs to the service', 'PS3.18 10.6.1'),
  wildcards: line(true, 'matching is that of C-FIND', 'PS3.18 8.3.4.1, PS3.4 C.2.2.2.4'),
  blanks: line(true, 'a query is percent-decoded before it is read', 'RFC 3986 2.4'),
  wholeSeries: line(true, 'the resource "series" belongs to the service', 'PS3.18 10.4.1'),
  accept: line(
    [
      'multipart/related; type="application/dicom"; transfer-syntax=*',
      'multipart/related; type="application/dicom"',
      'application/dicom; transfer-syntax=*',
      'application/dicom',
    ],
    'as stored, for a PACS that transcodes may fail; then for those that refuse the parameter, or multipart',
    'PS3.18 8.7.3; dcm4che/dcm4chee-arc-light issue 1715',
  ),
  alreadyStored: line([], 'the standard has no reason for it: most take an object again', 'PS3.18 10.5.3'),
  storeBytes: line(Number.POSITIVE_INFINITY, 'the PACS answers 413 to what it finds too large', 'PS3.18 10.5.3'),
};

/** The products, by the names that the setting takes. */
export const products: Readonly<Record<ProfileName, Product>> = {
  generic: { name: 'any PACS', tested: false, lines: {} },
  orthanc: {
    name: 'Orthanc',
    tested: true,
    lines: {
      rowsPerPage: line(500, 'it gives any number, and fewer requests are less work', 'Orthanc 1.10.1, DICOMweb 1.7'),
      blanks: line(false, 'it compares the encoded text, so nothing is found', 'Orthanc 1.10.1, DICOMweb 1.7'),
    },
  },
  azure: {
    name: 'Azure Health Data Services, DICOM service',
    tested: false,
    hosts: /\.dicom\.azurehealthcareapis\.com$/,
    lines: {
      rowsPerPage: line(200, '1 to 200 are valid', `${azure}, Search`),
      askedFields: line(
        {
          series: ['00180015', '0008103E', '00201209'],
          instances: ['00080016', '00280010', '00280011', '00280100'],
        },
        'SOPClassUID and what tells of pixels are no default tags of instances, nor description and count of series',
        `${azure}, Search Response`,
      ),
      wildcards: line(false, 'matching is exact', `${azure}, Search Matching`),
      alreadyStored: line(
        [45070],
        'an object of these UIDs is not stored twice',
        `${azure}, Store Failure Reason Codes`,
      ),
      storeBytes: line(2e9, 'requests are limited to 2 GB', `${azure}, Store`),
    },
  },
  google: {
    name: 'Google Cloud Healthcare API',
    tested: false,
    hosts: /^healthcare\.googleapis\.com$/,
    lines: {
      rowsPerPage: line(
        5000,
        'the most for studies and series; of itself it gives 100 series and 1000 instances',
        'GoogleCloudPlatform/healthcare-dicom-dicomweb-adapter pull request 44',
      ),
      wildcards: line(false, 'a value that ends in * finds nothing', 'OHIF/Viewers issue 489'),
    },
  },
  'aws-healthimaging': {
    name: 'AWS HealthImaging',
    tested: false,
    hosts: /^dicom-medical-imaging\.[a-z0-9-]+\.amazonaws\.com$/,
    lines: {
      seriesSearch: line('in a study', 'a search for series needs a known study', `${aws}, Searching DICOM data`),
      wholeSeries: line(false, 'it gives instances, frames and metadata', `${aws}, Retrieving DICOM data`),
      accept: line(
        ['application/dicom'],
        'an instance is one file; without the parameter it comes in Explicit VR Little Endian',
        `${aws}, Getting a DICOM instance`,
      ),
      storeBytes: line(1e9, 'up to 1 GB a request', `${aws}, Storing instances with STOW-RS`),
    },
  },
};

/** All lines of a product, its own and those of `generic`. */
export function profileOf(name: ProfileName): PacsProfile {
  const lines = { ...generic, ...products[name].lines };
  return Object.fromEntries(Object.entries(lines).map(([key, { value }]) => [key, value])) as unknown as PacsProfile;
}

/** Why a profile is in use. */
export type ProfileReason = 'UNCOL_PACS_PROFILE' | 'own PACS' | 'its address' | 'nothing else known';

/**
 * The profile of a PACS: that of the setting, `orthanc` for the own one, or of the product that the host name belongs to.
 *
 * @param url DICOMweb root of a PACS that is not the own one.
 */
export function chooseProfile(
  setting: ProfileName | undefined,
  url: string | undefined,
): { readonly name: ProfileName; readonly by: ProfileReason } {
  if (setting !== undefined) return { name: setting, by: 'UNCOL_PACS_PROFILE' };
  if (url === undefined) return { name: 'orthanc', by: 'own PACS' };
  const { hostname } = new URL(url);
  const named = Object.entries(products).find(([, { hosts }]) => hosts?.test(hostname));
  if (named) return { name: named[0] as ProfileName, by: 'its address' };
  return { name: 'generic', by: 'nothing else known' };
}
