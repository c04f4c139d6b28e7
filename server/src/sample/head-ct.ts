import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { AppError } from '../errors/app-error.ts';
import type { Volume } from '../volume/volume.ts';

const file = 'usr/share/doc/invesalius-examples/examples/Cranium.inv3';

/**
 * The head CT of the Debian package `invesalius-examples` (108 slices of 256 x 256, int16 HU), axial, i to L, j to P.
 *
 * The file stores rows from the back of the head forwards; here they are turned. It does not say which side is left:
 * columns are taken to grow towards L.
 *
 * @param root Folder into which the package was unpacked.
 * @throws AppError `setup-failed` when the file is missing or not an InVesalius project with one int16 matrix.
 */
export async function loadHeadCt(root: string): Promise<Volume & { readonly data: Int16Array }> {
  const compressed = await readFile(join(root, file)).catch((cause: unknown) => {
    throw new AppError('setup-failed', 'Sample file Cranium.inv3 of invesalius-examples is missing.', {}, { cause });
  });
  const entries = readTar(gunzipSync(compressed));
  const project = entries.get('main.plist')?.toString('utf8') ?? '';
  const matrix = entries.get('matrix.dat');
  const [slices, rows, columns] = numbersOf(project, 'shape');
  const [columnMm, rowMm, sliceMm] = numbersOf(project, 'spacing');
  if (!matrix || !slices || !rows || !columns || !columnMm || !rowMm || !sliceMm) {
    throw new AppError('setup-failed', 'Sample file Cranium.inv3 is not an InVesalius project.');
  }
  if (matrix.length !== 2 * slices * rows * columns) {
    throw new AppError('setup-failed', `The matrix of Cranium.inv3 has ${matrix.length} bytes, which do not fit.`);
  }
  const data = new Int16Array(slices * rows * columns);
  for (let row = 0; row < slices * rows; row++) {
    const slice = Math.floor(row / rows);
    const from = slice * rows + (rows - 1 - (row % rows));
    for (let i = 0; i < columns; i++) data[row * columns + i] = matrix.readInt16LE(2 * (from * columns + i));
  }
  return {
    data,
    geometry: {
      size: [columns, rows, slices],
      spacingMm: [columnMm, rowMm, sliceMm],
      origin: [(-columnMm * (columns - 1)) / 2, (-rowMm * (rows - 1)) / 2, 0],
      direction: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    },
  };
}

/** Regular files of a tar archive by their name without folders (ustar: headers and contents in blocks of 512 bytes). */
function readTar(archive: Buffer): ReadonlyMap<string, Buffer> {
  const entries = new Map<string, Buffer>();
  for (let o = 0; o + 512 <= archive.length; ) {
    const text = (start: number, length: number): string =>
      archive.toString('latin1', o + start, o + start + length).replace(/\0.*$/s, '');
    const path = text(0, 100);
    if (path === '') break;
    const sizeBytes = Number.parseInt(text(124, 12).trim(), 8);
    if (text(156, 1) === '0' || text(156, 1) === '') {
      entries.set(path.split('/').at(-1) ?? path, archive.subarray(o + 512, o + 512 + sizeBytes));
    }
    o += 512 + 512 * Math.ceil(sizeBytes / 512);
  }
  return entries;
}

/** The numbers of an array in a property list. */
function numbersOf(plist: string, key: string): readonly number[] {
  const array = new RegExp(`<key>${key}</key>\\s*<array>(.*?)</array>`, 's').exec(plist)?.[1] ?? '';
  return [...array.matchAll(/<(?:integer|real)>([^<]+)</g)].map((match) => Number(match[1]));
}
