import type { Inference, LabelmapHead } from '../api/contract.ts';
import { type Envelope, sliceOf } from '../api/envelope.ts';
import type { MaskSlice } from '../correction/difference.ts';
import { measureSteps } from '../correction/step.ts';
import type { SeriesRef } from '../service/state.ts';
import type { Host } from './host.ts';
import { activate, addLabelmap, findLabelmapImages } from './labelmap-layer.ts';
import { findCurrentSlice, slicesInOrder, turnTo } from './slices.ts';

/** The model's mask drawn as a segmentation of the host. */
export interface DrawnMask {
  readonly segmentationId: string;
  /** Slice ids in the viewer's order. */
  readonly slices: readonly string[];
  /** Volume of one voxel of each of them, millilitres. */
  readonly voxelMl: readonly number[];
}

/**
 * Draws a mask as an ordinary, editable segmentation in the colours of the model card, ready to edit.
 *
 * @throws Error when the display set is gone or the grids differ.
 */
export async function drawMask(
  host: Host,
  series: SeriesRef,
  inference: Inference,
  envelope: Envelope<LabelmapHead>,
): Promise<DrawnMask> {
  const { model, segments } = inference;
  const look = {
    label: `AI-generated, research use: ${model.name}@${model.version}`,
    algorithmName: `${model.name} ${model.version}`,
    segments,
    isLocked: false,
  };
  const segmentationId = await addLabelmap(host, series, look, envelope);
  activate(host, series, segmentationId);
  await turnToMask(host, series, envelope);
  const slices = slicesInOrder(host, series);
  const displaySet = host.services.displaySetService.getDisplaySetByUID(series.displaySetInstanceUid);
  return { segmentationId, voxelMl: measureVoxelMl(host, displaySet?.imageIds ?? []), slices };
}

/**
 * The mask as it stands in the viewer, live views of the host's arrays in the order of `slices`.
 *
 * @returns Null when the segmentation was removed or a slice is not in memory.
 */
export function readMask(host: Host, segmentationId: string, slices: readonly string[]): readonly MaskSlice[] | null {
  const images = findLabelmapImages(host, segmentationId);
  if (images === null) return null;
  const mask: MaskSlice[] = [];
  for (const sliceId of slices) {
    const image = images.get(sliceId);
    if (image === undefined) return null;
    mask.push({ sliceId, voxels: image.voxelManager.getScalarData() });
  }
  return mask;
}

/** Where the slice on display holds nothing of the mask, turns to the one that holds most: else it looks as if empty. */
async function turnToMask(host: Host, series: SeriesRef, envelope: Envelope<LabelmapHead>): Promise<void> {
  const counts = envelope.head.slices.map((_, index) => countForeground(sliceOf(envelope, index)));
  const current = findCurrentSlice(host);
  if (current === null || (counts[envelope.head.slices.indexOf(current)] ?? 0) > 0) return;
  const most = Math.max(...counts);
  const target = envelope.head.slices[counts.indexOf(most)];
  if (most > 0 && target !== undefined) await turnTo(host, series, target);
}

function countForeground(slice: Uint8Array): number {
  let count = 0;
  for (const voxel of slice) if (voxel > 0) count++;
  return count;
}

/** In-plane spacing times the distance between slices along their normal (a gap counts), in whatever order they come. */
function measureVoxelMl({ libraries }: Host, imageIds: readonly string[]): readonly number[] {
  const planes = imageIds.map((imageId) => libraries.cornerstone.metaData.get('imagePlaneModule', imageId));
  const [first] = planes;
  const area = Number(first?.['rowPixelSpacing'] ?? 0) * Number(first?.['columnPixelSpacing'] ?? 0);
  const vectorOf = (plane: (typeof planes)[number], key: string) => plane?.[key] as readonly number[] | undefined;
  const positions = planes.map((plane) => vectorOf(plane, 'imagePositionPatient') ?? []);
  const steps = measureSteps(positions, vectorOf(first, 'rowCosines') ?? [], vectorOf(first, 'columnCosines') ?? []);
  return planes.map((_, k) => (area * (steps[k] ?? Number(first?.['sliceThickness'] ?? 0))) / 1000);
}
