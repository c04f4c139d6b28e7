import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { OpenForeignGraph } from '../engine/foreign-graph.ts';
import { AppError } from '../errors/app-error.ts';
import type { EmbeddingCache } from '../uncol/teachers/embedding-cache.ts';
import { type TeacherManifest, teacherManifestSchema } from '../uncol/teachers/manifest.ts';
import { PromptableTeacher } from '../uncol/teachers/promptable.ts';

/** `models/teachers/` of the repository: the manifests. */
export const teacherFolder: URL = new URL('../../../models/teachers/', import.meta.url);

export interface TeacherSources {
  /** Manifests; {@link teacherFolder} unless given. */
  readonly manifests?: string;
  /** Where the graphs lie of teachers that no npm package brings: `<files>/<name>/`, with SHA256SUMS where a site made them. */
  readonly files: string;
  readonly open: OpenForeignGraph;
  /** What the student sees; a teacher of the other kind is refused. Unless given, none is. */
  readonly dimension?: 2 | 3;
  readonly cache: EmbeddingCache;
}

/**
 * Opens a generalized teacher by the name of its manifest. Every byte of its graphs is checked.
 *
 * @throws AppError `teacher-invalid`: no such manifest, a teacher of another dimension, a file missing or with another hash, a graph that does not fit.
 */
export async function openTeacher(name: string, sources: TeacherSources): Promise<PromptableTeacher> {
  const manifest = await readManifest(name, sources.manifests ?? fileURLToPath(teacherFolder));
  const { encoder, decoder, dimension } = manifest;
  if (sources.dimension && sources.dimension !== dimension)
    throw new AppError('teacher-invalid', `${name} is a teacher in ${dimension}D, the model is ${sources.dimension}D.`);
  const encoderFile = await readGraph(manifest, encoder, sources.files);
  const decoderFile = await readGraph(manifest, decoder, sources.files);
  const inner = [encoder.embedding, ...encoder.hidden].map((map) => map.output);
  const opened = await openPair(manifest, sources.open, [
    { file: encoderFile.bytes, wanted: inner },
    { file: decoderFile.bytes, wanted: [decoder.mask, decoder.semantic].flatMap((map) => map?.output ?? []) },
  ]);
  return new PromptableTeacher(manifest, opened, encoderFile.sha256, sources.cache);
}

async function readManifest(name: string, folder: string): Promise<TeacherManifest> {
  const text = /^[a-z0-9-]{1,40}$/.test(name)
    ? await readFile(join(folder, `${name}.json`), 'utf8').catch(() => undefined)
    : undefined;
  if (text === undefined)
    throw new AppError('teacher-invalid', `There is no manifest of a teacher "${name.slice(0, 40)}".`);
  const parsed = teacherManifestSchema.safeParse(JSON.parse(text));
  if (!parsed.success) throw new AppError('teacher-invalid', `Manifest ${name}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

async function readGraph(
  { name, package: fromPackage }: TeacherManifest,
  { file, sha256: known }: { readonly file: string; readonly sha256: string | null },
  files: string,
): Promise<{ readonly bytes: Uint8Array; readonly sha256: string }> {
  const where = fromPackage ? `npm package ${fromPackage.name}@${fromPackage.version}` : `folder teachers/${name}`;
  const path = fromPackage ? resolveInPackage(`${fromPackage.name}/${file}`) : join(files, name, file);
  const bytes = path === undefined ? undefined : await readFile(path).catch(() => undefined);
  if (!bytes) throw new AppError('teacher-invalid', `${name}: ${file} of the ${where} is not there.`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== (known ?? (await readSum(join(files, name), file)))) {
    const named = known ? 'its manifest names' : 'SHA256SUMS beside it names';
    throw new AppError('teacher-invalid', `${name}: ${file} of the ${where} is not the file that ${named}.`);
  }
  return { bytes, sha256 };
}

/** The hash of a file by the SHA256SUMS of its folder; undefined where there is none. */
async function readSum(folder: string, file: string): Promise<string | undefined> {
  const lines = (await readFile(join(folder, 'SHA256SUMS'), 'utf8').catch(() => '')).split('\n');
  // As sha256sum writes it: the hash, a space, a space or an asterisk, the name.
  return lines.find((line) => line.slice(66) === file)?.slice(0, 64);
}

function resolveInPackage(path: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(path);
  } catch {
    return undefined;
  }
}

interface GraphToOpen {
  readonly file: Uint8Array;
  /** Outputs or inner values. */
  readonly wanted: readonly string[];
}

/** Opens both graphs with what is wanted of them; what a file gives of itself needs no tap. */
async function openPair(
  manifest: TeacherManifest,
  open: OpenForeignGraph,
  graphs: readonly [GraphToOpen, GraphToOpen],
) {
  const openOne = async ({ file, wanted }: GraphToOpen) => {
    const plain = await open(file, []);
    const taps = wanted.filter((name) => !plain.outputNames.includes(name));
    if (taps.length === 0) return plain;
    await plain.dispose();
    return open(file, taps);
  };
  try {
    return { encoder: await openOne(graphs[0]), decoder: await openOne(graphs[1]) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError('teacher-invalid', `${manifest.name}: ${error.message}`, {}, { cause: error });
  }
}
