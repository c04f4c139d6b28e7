import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../errors/app-error.ts';
import { readSecretKey } from '../store/secret-key.ts';

/** Written beside the card of a version that a round made. */
export const signatureFile = 'signature.json';

/** Signed files; the weights are held by the sha256 in the card. */
const signedFiles = ['card.json', 'recipe.json', 'metrics.json'] as const;

const signatureSchema = z.strictObject({
  algorithm: z.literal('ed25519'),
  /** Of the public key, so that a reader sees which one is meant. */
  keySha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Base64. */
  signature: z.string(),
});

/** Ed25519 key of a server: it signs the versions that its rounds make. */
export interface SigningKey {
  readonly private: KeyObject;
  readonly public: KeyObject;
}

/** PKCS #8 of an Ed25519 key up to its 32 bytes (RFC 8410, section 7). */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The key of 32 secret bytes. */
export function signingKeyOf(secret: Uint8Array): SigningKey {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Head, secret]), format: 'der', type: 'pkcs8' });
  return { private: key, public: createPublicKey(key) };
}

/** The key of a PEM file. @throws AppError `config-invalid`: not readable, or no private Ed25519 key. */
export async function readSigningKey(path: string): Promise<SigningKey> {
  try {
    const key = createPrivateKey(await readFile(path));
    if (key.asymmetricKeyType !== 'ed25519') throw new RangeError(`a key of kind ${key.asymmetricKeyType}`);
    return { private: key, public: createPublicKey(key) };
  } catch (cause) {
    throw new AppError('config-invalid', `${path} holds no private Ed25519 key in PEM.`, {}, { cause });
  }
}

/** The key of the settings, read when it is first wanted: a PEM file, or secret bytes made once below the home. */
export function openSigningKey(settings: {
  readonly home: string;
  readonly signingKeyFile?: string | undefined;
}): () => Promise<SigningKey> {
  const { home, signingKeyFile } = settings;
  let key: Promise<SigningKey> | undefined;
  return () => {
    key ??= signingKeyFile ? readSigningKey(signingKeyFile) : readSecretKey(home, 'signing').then(signingKeyOf);
    return key;
  };
}

/** What {@link signatureFile} of a folder holds. */
export async function signVersion(folder: string, key: SigningKey): Promise<z.infer<typeof signatureSchema>> {
  const signature = sign(null, await digestOf(folder), key.private).toString('base64');
  return { algorithm: 'ed25519', keySha256: fingerprint(key.public), signature };
}

/**
 * @throws AppError `model-invalid`: not signed by this key, or changed since.
 */
export async function checkSignature(folder: string, key: KeyObject): Promise<void> {
  const text = await readFile(join(folder, signatureFile), 'utf8').catch(() => '{}');
  const parsed = signatureSchema.safeParse(parseJson(text));
  const refuse = (why: string) => new AppError('model-invalid', `The version in ${folder} ${why}.`);
  if (!parsed.success) throw refuse('is not signed; if you trust it, sign it with `uncol sign`');
  const { keySha256, signature } = parsed.data;
  if (keySha256 !== fingerprint(key)) throw refuse('is signed by another key than that of this server');
  if (!verify(null, await digestOf(folder), key, Buffer.from(signature, 'base64')))
    throw refuse('was changed after it was signed');
}

/** sha256 of each signed file, a line each. */
async function digestOf(folder: string): Promise<Buffer> {
  const lines = signedFiles.map(async (name) => {
    const sha256 = createHash('sha256').update(await readFile(join(folder, name)));
    return `${name} ${sha256.digest('hex')}\n`;
  });
  return Buffer.from((await Promise.all(lines)).join(''));
}

function fingerprint(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
