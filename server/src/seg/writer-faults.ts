import { AppError } from '../errors/app-error.ts';
import type { Attributes } from '../study/attributes.ts';

/** The first DCMTK whose BINARY frames are right whatever their size. */
const mendedDcmtk = 370;

/**
 * Refuses BINARY pixels that dcmqi (3D Slicer, ITK-SNAP, MITK) may have put together with an older DCMTK: where frames do
 * not end on a byte, it moved bits of the following frames and lost some (its bug 1132), which no reader can undo. A PACS
 * that writes the file meta anew takes away the DCMTK's name; then nobody knows.
 *
 * @param rows of each frame, and its columns.
 * @throws AppError `seg-unsupported`
 */
export function refuseMovedBits(read: Attributes, rows: number, columns: number): void {
  if ((rows * columns) % 8 === 0) return;
  const isOfDcmqi = read.text('x00080070') === 'QIICR' || read.text('x00081090')?.includes('dcmqi');
  if (!isOfDcmqi) return;
  const [, version] = /^OFFIS_DCMTK_(\d{3})$/.exec(read.text('x00020013') ?? '') ?? [];
  if (Number(version) >= mendedDcmtk) return;
  throw new AppError(
    'seg-unsupported',
    `The SEG was written by dcmqi with DCMTK ${version ?? 'of an unknown version'}; before 3.7.0 it misplaces pixels of frames that do not fill whole bytes, as ${rows} x ${columns} do not.`,
    { rows, columns },
  );
}
