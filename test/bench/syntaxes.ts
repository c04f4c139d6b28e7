import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFrameDecoder } from '../../server/src/study/frame-decoder.ts';
import { transferSyntaxes } from '../../server/src/study/pixel-data.ts';
import { judgeSyntaxes } from '../fixtures/syntaxes.ts';
import { type Bench, type Row, table } from './record.ts';

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-syntaxes-'));
  const decoder = createFrameDecoder();
  try {
    const judged = await judgeSyntaxes(folder, decoder);
    tell(`${judged.length} images`);
    return judged.map(({ difference, ...row }) => ({
      ...row,
      difference: Number.isNaN(difference) ? null : difference,
    }));
  } finally {
    await decoder.close();
    await rm(folder, { recursive: true });
  }
}

function report(rows: readonly Row[]): string {
  const kinds = [...new Set(rows.map((row) => String(row['kind'])))];
  const lines = [...transferSyntaxes].flatMap(([uid, { name }]) => {
    const of = rows.filter((row) => row['syntax'] === uid);
    return [...new Set(of.map((row) => String(row['encoder'])))].map((encoder) => [
      `${name} (${uid.replace('1.2.840.10008.1.2', '...')})`,
      encoder,
      ...kinds.map((kind) => cellOf(of.find((row) => row['kind'] === kind && row['encoder'] === encoder))),
    ]);
  });
  const wrong = rows.filter((row) => row['isWrong']).length;
  return `${rows.length} images, ${wrong} wrong.\n\n${table(['transfer syntax', 'encoder', ...kinds], lines)}`;
}

function cellOf(row: Row | undefined): string {
  if (!row) return '-';
  if (row['refused'] !== null) return `**refused**: ${row['refused']}`;
  return row['isWrong'] ? `**${row['difference']}**` : String(row['difference']);
}

/** Every transfer syntax by every kind of image, against the encoders and decoders of others. */
export const syntaxes: Bench = {
  name: 'syntaxes',
  title: 'Transfer syntaxes by kinds of image',
  about:
    'Images of each kind, encoded by dcmtk, gdcm, OpenJPEG and OpenJPH of Debian (`proof/syntaxes.py`) and read by this server. A cell is the largest difference of a stored value: from the original where the syntax loses nothing, else from what the decoder of the same makers gives (1 at most where decoders may round otherwise; a value beyond the range of BitsStored may stay or be brought to its end). -: the encoder does not take that kind.',
  run,
  report,
};
