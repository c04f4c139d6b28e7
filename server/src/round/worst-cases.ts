import type { BlobStore } from '../store/blobs.ts';
import type { ComparedCase } from './compare.ts';
import type { Judge } from './gather.ts';
import type { LabelledVolume } from './labelled-volume.ts';
import type { Measure } from './measure.ts';
import { comparisonPicture } from './report/pictures.ts';

/** Subjects that get a picture at most. */
const pictures = 3;

/** Weights of both versions, and where pictures are kept. */
interface Versions {
  readonly measure: Measure;
  readonly inService: Float32Array;
  readonly candidate: Float32Array;
  readonly blobs: Pick<BlobStore, 'put'>;
}

/**
 * Adds pictures to the cases in which the candidate lost most. Generated subjects alone: a picture of a patient would stay
 * with the verdict for ever.
 */
export async function pictureWorst(
  cases: readonly ComparedCase[],
  judges: readonly Judge[],
  { measure, inService, candidate, blobs }: Versions,
): Promise<readonly ComparedCase[]> {
  const gainOf = (of: ComparedCase) => of.candidate.dice - of.inService.dice;
  const worst = cases.filter(({ set }) => set === 'base').toSorted((a, b) => gainOf(a) - gainOf(b));
  const picturesOf = new Map<string, string>();
  for (const { subject } of worst.slice(0, pictures)) {
    const judged = judges.find((judge) => judge.subject === subject)?.judged;
    if (!judged) continue;
    const before = (await measure.serve(inService, judged)).labels;
    const after = (await measure.serve(candidate, judged)).labels;
    const slice = cutWorst(judged, before, after);
    const svg = comparisonPicture(slice, `${subject}: truth, version in service, candidate`);
    picturesOf.set(subject, await blobs.put(Buffer.from(svg)));
  }
  return cases.map((of) => {
    const picture = picturesOf.get(of.subject);
    return picture === undefined ? of : { ...of, picture };
  });
}

/** The slice with most pixels that the candidate has wrong; where it has none, most of the version in service. */
function cutWorst({ grid, image, label }: LabelledVolume, before: Uint8Array, after: Uint8Array) {
  const [columns, rows, slices] = grid.size;
  const pixels = columns * rows;
  const most = (of: Uint8Array) => {
    const wrong = Array.from({ length: slices }, (_, k) => {
      let count = 0;
      for (let n = k * pixels; n < (k + 1) * pixels; n++) if (of[n] !== label[n]) count += 1;
      return count;
    });
    return wrong.some((count) => count > 0) ? wrong.indexOf(Math.max(...wrong)) : null;
  };
  const k = most(after) ?? most(before) ?? Math.floor(slices / 2);
  const cut = (of: Uint8Array) => of.subarray(k * pixels, (k + 1) * pixels).map((value) => Number(value > 0));
  return {
    columns,
    image: image.subarray(k * pixels, (k + 1) * pixels),
    truth: cut(label),
    inService: cut(before),
    candidate: cut(after),
  };
}
