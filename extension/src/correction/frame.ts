/** The frame that an image id of the host names, from 1: `.../frames/3` of DICOMweb, `...&frame=3` of a file. */
export function frameOf(imageId: string): number {
  const found = /(?:\/frames\/|[?&]frame=)(\d+)/.exec(imageId)?.[1];
  return found === undefined ? 1 : Number(found);
}
