import type { Inference, LabelmapHead } from '../api/contract.ts';
import { type Envelope, sliceOf } from '../api/envelope.ts';
import type { SeriesRef } from '../service/state.ts';
import type { Host } from './host.ts';
import { addLabelmap } from './labelmap-layer.ts';

/** Hundredths of normalised entropy from which a voxel belongs to a band; what lies below the first is sure. */
export interface Band {
  readonly from: number;
  readonly label: string;
  /** sRGB 0..255; the two differ in lightness, so that they are told apart without colour vision. */
  readonly colour: readonly number[];
}

/** For two classes, 0.3 is a probability of 0.05 for the other one, 0.7 one of 0.19. */
export const bands: readonly [Band, Band] = [
  { from: 30, label: 'Look here', colour: [166, 229, 255] },
  { from: 70, label: 'Look here first', colour: [222, 45, 150] },
];

/** Draws where the model was unsure, as a layer of its own that cannot be painted. @returns its segmentation id. */
export async function drawUncertainty(
  host: Host,
  series: SeriesRef,
  { model }: Inference,
  map: Envelope<LabelmapHead>,
): Promise<string> {
  const look = {
    label: `Uncertainty of ${model.name}@${model.version} (AI-generated, research use)`,
    algorithmName: `${model.name} ${model.version}`,
    segments: bands.map(({ label, colour }, index) => ({ number: index + 1, label, colour })),
    isLocked: true,
  };
  const segmentationId = await addLabelmap(host, series, look, { ...map, voxels: map.voxels.map(bandOf) });
  const style = { renderOutline: false, fillAlpha: 0.6, renderOutlineInactive: false, fillAlphaInactive: 0.6 };
  host.libraries.cornerstoneTools.segmentation.config.style.setStyle({ segmentationId, type: 'Labelmap' }, style);
  return segmentationId;
}

/** The slice with most doubt in it, summed over the voxels of both bands; null where the model was sure of all. */
export function findLeastSure(map: Envelope<LabelmapHead>): string | null {
  let most = 0;
  let found: string | null = null;
  map.head.slices.forEach((sopInstanceUid, index) => {
    let doubt = 0;
    for (const value of sliceOf(map, index)) if (value >= bands[0].from) doubt += value;
    if (doubt <= most) return;
    most = doubt;
    found = sopInstanceUid;
  });
  return found;
}

function bandOf(hundredths: number): number {
  if (hundredths >= bands[1].from) return 2;
  return hundredths >= bands[0].from ? 1 : 0;
}
