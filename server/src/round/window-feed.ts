import type { Random } from '../engine/random.ts';
import { sampleSpace } from '../student/input.ts';
import type { VolumeInput } from '../student/prepare-volume.ts';
import { augmentWindow } from './augment-window.ts';
import { drawWindows } from './draw.ts';
import type { Feed } from './feed.ts';
import type { LabelledVolume } from './labelled-volume.ts';
import { mostOf, roundSettings } from './plan.ts';

/**
 * The feed of a 3D student. It is measured on whole volumes, by the sliding windows that serve.
 *
 * @param mirrors whether left and right may be exchanged.
 */
export function windowFeed(input: VolumeInput, mirrors: boolean): Feed {
  const space = sampleSpace(input);
  const { foregroundShare } = roundSettings;
  const draw = (volume: LabelledVolume, count: number, random: Random) =>
    drawWindows(volume, input.windowVoxels, { count, foregroundShare }, random);
  return {
    space,
    method: mirrors ? {} : { sliceGate: 0 },
    pairs: roundSettings.windowPairs,
    draw: (subject, portion, random) => ({
      pieces: drawWindows(subject, input.windowVoxels, portion, random),
      judged: subject,
    }),
    augment: (piece, random) => augmentWindow(piece, space, random, mirrors),
    drawCorrected: (volume, among, random) => ({
      pieces: draw(volume, mostOf(roundSettings.windows, among), random),
      judged: volume,
    }),
    drawReplay: (subject, random) => draw(subject, roundSettings.replayWindowsPerSubject, random),
    isOpen: (volume) => openVoxels(volume).includes(1),
    async drawOpen(volume, find, count, random) {
      const seen = { ...volume, label: await find(volume), known: openVoxels(volume) };
      return draw(seen, count, random).map(({ image }) => image);
    },
    judgedWhole: (subject) => subject,
  };
}

/** 1 where the volume shows something that nobody vouched for. */
function openVoxels({ image, known }: LabelledVolume): Uint8Array {
  return known.map((isKnown, n) => (isKnown === 0 && image[n]! > 0 ? 1 : 0));
}
