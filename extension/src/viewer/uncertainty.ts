import type { Inference, LabelmapHead } from '../api/contract.ts';
import type { Envelope } from '../api/envelope.ts';
import { bandOf, bands } from '../correction/doubt.ts';
import type { SeriesRef } from '../service/state.ts';
import type { Host } from './host.ts';
import { addLabelmap } from './labelmap-layer.ts';

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
