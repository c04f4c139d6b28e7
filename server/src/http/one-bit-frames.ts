import type { RequestHandler } from 'express';
import { AppError } from '../errors/app-error.ts';
import { cutFrame, type OneBitFrames, openOneBitFrames } from '../study/one-bit-frame.ts';
import type { InstanceAddress, Pacs, SeriesAddress } from '../study/pacs.ts';

/** The viewer asks for all frames of a SEG in one go. */
const keptMs = 60_000;
const instancePath = /^\/studies\/([\d.]+)\/series\/([\d.]+)\/instances\/([\d.]+)(?:\/frames\/(\d+))?$/;
const boundary = 'frame-of-one-bit-pixels';

interface Kept {
  frames: Promise<OneBitFrames> | undefined;
  readonly timer: NodeJS.Timeout;
}

/**
 * Keeps masks right whose frames of one-bit pixels do not fill whole words of 16 bits. Where frames begin within a byte,
 * OHIF 3.13 takes them out of a whole object with the bits of each byte in the wrong order and shows a wrong mask; where
 * all of them are an odd number of bytes, it stumbles over the byte of padding (PS3.5 8.1.1). Orthanc 1.10 refuses both
 * one by one. So the whole object is refused here, upon which OHIF asks for single frames, and these are cut here. All
 * other requests go on to the PACS.
 */
export function serveOneBitFrames(pacs: Pick<Pacs, 'searchInstances' | 'retrieve'>): RequestHandler {
  const kept = new Map<string, Kept>();
  return async (request, response, next) => {
    const [, studyInstanceUid, seriesInstanceUid, sopInstanceUid, number] = instancePath.exec(request.path) ?? [];
    if (request.method !== 'GET' || !studyInstanceUid || !seriesInstanceUid || !sopInstanceUid) return next();
    const address = { studyInstanceUid, seriesInstanceUid, sopInstanceUid };
    if (number === undefined) {
      if (!(await areUnaligned(pacs, address))) return next();
      const timer = setTimeout(() => kept.delete(sopInstanceUid), keptMs).unref();
      kept.set(sopInstanceUid, { frames: undefined, timer });
      throw new AppError('frames-unaligned', 'The object holds one-bit frames that do not fill whole words.');
    }
    const one = kept.get(sopInstanceUid);
    if (one === undefined) return next();
    one.timer.refresh();
    one.frames ??= readFrames(pacs, address);
    const cut = cutFrame(await one.frames, Number(number));
    if (cut === null) throw new AppError('not-found', `The object has no frame ${number}.`);
    const head = `--${boundary}\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n`;
    response
      .set('cache-control', 'private, no-cache')
      .type(`multipart/related; type="application/octet-stream"; boundary=${boundary}`)
      .send(Buffer.concat([Buffer.from(head), cut, Buffer.from(`\r\n--${boundary}--\r\n`)]));
  };
}

async function areUnaligned(
  pacs: Pick<Pacs, 'searchInstances'>,
  address: SeriesAddress & InstanceAddress,
): Promise<boolean> {
  const instances = await pacs.searchInstances(address);
  const found = instances.find(({ sopInstanceUid }) => sopInstanceUid === address.sopInstanceUid);
  return found?.bitsAllocated === 1 && found.pixelsOfFrame !== undefined && found.pixelsOfFrame % 16 !== 0;
}

async function readFrames(pacs: Pick<Pacs, 'retrieve'>, address: SeriesAddress & InstanceAddress) {
  for await (const file of pacs.retrieve(address)) return openOneBitFrames(file);
  throw new AppError('series-not-found', 'The PACS does not give the object.');
}
