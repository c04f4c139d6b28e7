import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface OrthancConfigValues {
  /** Random for each start; proves that the answer comes from our own Orthanc. */
  readonly name: string;
  /** Folder of the unpacked packages. */
  readonly root: string;
  /** Folder of index and stored objects. */
  readonly storage: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

/** Orthanc's configuration: DICOMweb for one user on loopback, and nothing else. */
export function orthancConfig(values: OrthancConfigValues): Readonly<Record<string, unknown>> {
  return {
    Name: values.name,
    StorageDirectory: values.storage,
    IndexDirectory: values.storage,
    // The file alone: the plugin folder may also hold the GDCM decoder, which crashes Orthanc.
    Plugins: [join(values.root, 'usr/share/orthanc/plugins/libOrthancDicomWeb.so')],
    HttpPort: values.port,
    HttpBindAddresses: ['127.0.0.1'],
    RemoteAccessAllowed: false,
    AuthenticationEnabled: true,
    RegisteredUsers: { [values.username]: values.password },
    DicomServerEnabled: false,
    OverwriteInstances: false,
    DefaultEncoding: 'Utf8',
    HttpThreadsCount: 16,
    HttpCompressionEnabled: false,
    KeepAlive: true,
    SaveJobs: false,
    DicomWeb: {
      Enable: true,
      Root: '/dicom-web/',
      EnableWado: true,
      WadoRoot: '/wado',
      Ssl: false,
      StudiesMetadata: 'Full',
      SeriesMetadata: 'Full',
    },
  };
}

/** What the unpacked programs need to find their own libraries and the dictionary of attributes. */
export async function orthancEnvironment(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  const libraryFolders = new Set(files.filter((file) => /\.so(\.|$)/.test(file.name)).map((file) => file.parentPath));
  const dictionaries = files.filter((file) => /^(dicom|private)\.dic$/.test(file.name)).map((file) => file.parentPath);
  const inherited = process.env['LD_LIBRARY_PATH'];
  const libraryPath = [...libraryFolders, ...(inherited ? [inherited] : [])].join(':');
  const dictionaryPath = [...new Set(dictionaries)]
    .flatMap((folder) => [join(folder, 'dicom.dic'), join(folder, 'private.dic')])
    .join(':');
  return { LD_LIBRARY_PATH: libraryPath, ...(dictionaryPath ? { DCMDICTPATH: dictionaryPath } : {}) };
}
