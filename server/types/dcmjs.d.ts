/** The small part of dcmjs that this project uses. */
declare module 'dcmjs' {
  type NaturalDataSet = Record<string, unknown>;
  type TagDataSet = Record<string, { vr: string; Value: unknown[] }>;

  class DicomDict {
    constructor(meta: TagDataSet);
    meta: TagDataSet;
    dict: TagDataSet;
    write(options?: { allowInvalidVRLength?: boolean }): ArrayBuffer;
  }

  const dcmjs: {
    data: {
      DicomDict: typeof DicomDict;
      DicomMetaDictionary: {
        denaturalizeDataset(dataSet: NaturalDataSet): TagDataSet;
        /** By keyword. */
        nameMap: Readonly<Record<string, { readonly tag: string; readonly vr: string } | undefined>>;
        naturalizeDataset(dataSet: TagDataSet): NaturalDataSet;
        uid(): string;
      };
      DicomMessage: {
        readFile(buffer: ArrayBuffer, options?: { ignoreErrors?: boolean }): DicomDict;
      };
    };
    log: { setLevel(level: string): void };
  };
  export default dcmjs;
}
