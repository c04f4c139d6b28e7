import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Settings } from '../config/schema.ts';
import { AppError } from '../errors/app-error.ts';

const credentialsSchema = z.union([
  z.strictObject({ username: z.string().min(1), password: z.string() }),
  z.strictObject({ token: z.string().min(1) }),
  z.strictObject({
    tokenUrl: z.url({ protocol: /^https?$/ }),
    clientId: z.string().min(1),
    clientSecret: z.string().min(1),
    scope: z.string().min(1).optional(),
  }),
]);

/**
 * What the PACS wants to see: HTTP Basic, a bearer token that stays, or one that is asked for with client credentials
 * (RFC 6749 4.4) and renewed.
 */
export type PacsCredentials = Readonly<z.infer<typeof credentialsSchema>>;

/** PEM texts of the connection to the PACS. */
export interface PacsTls {
  /** Trusted beside the authorities that Node knows. */
  readonly ca?: string;
  /** What we show of ourselves, with its key. */
  readonly certificate?: string;
  readonly key?: string;
}

/** How the server identifies itself to the PACS, and whom it trusts. */
export interface PacsAccess {
  /** Absent when the PACS asks for none. */
  readonly credentials?: PacsCredentials | undefined;
  readonly tls?: PacsTls | undefined;
}

type AccessSettings = Pick<Settings, 'pacsCredentialsFile' | 'pacsCaFile' | 'pacsCertificateFile' | 'pacsKeyFile'>;

/** Reads the files that the settings name. @throws AppError `config-invalid` */
export async function readPacsAccess(settings: AccessSettings): Promise<PacsAccess> {
  const credentials = await readCredentials(settings.pacsCredentialsFile);
  const { pacsCaFile, pacsCertificateFile, pacsKeyFile } = settings;
  if ((pacsCertificateFile === undefined) !== (pacsKeyFile === undefined)) {
    const message = 'A certificate to show to the PACS needs its key: set pacsCertificateFile and pacsKeyFile.';
    throw new AppError('config-invalid', message, { setting: 'pacsCertificateFile' });
  }
  const tls = {
    ...(await readPem('ca', 'pacsCaFile', pacsCaFile)),
    ...(await readPem('certificate', 'pacsCertificateFile', pacsCertificateFile)),
    ...(await readPem('key', 'pacsKeyFile', pacsKeyFile)),
  };
  return { ...(credentials && { credentials }), ...(Object.keys(tls).length > 0 && { tls }) };
}

async function readCredentials(path: string | undefined): Promise<PacsCredentials | undefined> {
  if (path === undefined) return undefined;
  try {
    return credentialsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // The cause is left out: it may quote the file.
    const forms = '{"username","password"}, {"token"} or {"tokenUrl","clientId","clientSecret"}';
    throw new AppError('config-invalid', `${path} is not a readable JSON file ${forms}`, {
      setting: 'pacsCredentialsFile',
    });
  }
}

async function readPem(name: keyof PacsTls, setting: keyof AccessSettings, path: string | undefined): Promise<PacsTls> {
  if (path === undefined) return {};
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text.includes('-----BEGIN ')) return { [name]: text };
  throw new AppError('config-invalid', `${path} is not a readable PEM file`, { setting });
}
