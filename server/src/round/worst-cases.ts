import type { BlobStore } from '../store/blobs.ts';
import type { ComparedCase } from './compare.ts';
import type { LabelledVolume } from './labelled-volume.ts';
import { comparisonPicture } from './report/pictures.ts';

/** Subjects that get a picture at most. */
const pictures = 3;

/** One subject of the gate with what both versions made of it. */
export interface JudgedCase {
  readonly compared: ComparedCase;
  readonly judged: LabelledVolume;
  /** Segment numbers, `[slice, row, column]` uint8. */
  readonly inService: Uint8Array;
  readonly candidate: Uint8Array;
}

/**
 * Keeps the cases in which the candidate lost most, as they come by; the first of equals. Generated subjects alone: a
 * picture of a patient would stay with the verdict for ever.
 */
export class WorstCases {
  #kept: readonly JudgedCase[] = [];

  see(one: JudgedCase): void {
    if (one.compared.set !== 'base') return;
    const gainOf = ({ compared }: JudgedCase) => compared.candidate.dice - compared.inService.dice;
    this.#kept = [...this.#kept, one].sort((a, b) => gainOf(a) - gainOf(b)).slice(0, pictures);
  }

  /** Their pictures, stored. */
  async draw(blobs: Pick<BlobStore, 'put'>): Promise<ReadonlyMap<ComparedCase, Pick<ComparedCase, 'picture'>>> {
    const drawn = new Map<ComparedCase, { readonly picture: string }>();
    for (const { compared, judged, inService, candidate } of this.#kept) {
      const label = `${compared.subject}: truth, version in service, candidate`;
      const picture = comparisonPicture(cutWorst(judged, inService, candidate), label);
      drawn.set(compared, { picture: await blobs.put(Buffer.from(picture)) });
    }
    return drawn;
  }
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
