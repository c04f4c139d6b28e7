import type { Inference, LabelmapHead } from '../api/contract.ts';
import { type Envelope, sliceOf } from '../api/envelope.ts';
import type { MaskSlice } from '../correction/difference.ts';
import type { SeriesRef } from '../service/state.ts';
import { findViewports } from './active-series.ts';
import type { Host } from './host.ts';

/** The model's mask drawn as a segmentation of the host. */
export interface DrawnMask {
  readonly segmentationId: string;
  /** Volume of one voxel, millilitres. */
  readonly voxelMl: number;
}

/**
 * Draws a mask as an ordinary, editable segmentation in every viewport that shows the series. Slices are paired by SOP
 * Instance UID, never by position: the viewer's order may be the reverse of the server's.
 *
 * @throws Error when the display set is gone or the grids differ.
 */
export async function drawMask(
  host: Host,
  series: SeriesRef,
  inference: Inference,
  envelope: Envelope<LabelmapHead>,
): Promise<DrawnMask> {
  const { segmentationService, displaySetService } = host.services;
  const displaySet = displaySetService.getDisplaySetByUID(series.displaySetInstanceUid);
  if (displaySet === undefined) throw new Error('The series is no longer open in the viewer.');
  const segmentationId = await segmentationService.createLabelmapForDisplaySet(displaySet, {
    label: segmentationLabel(inference),
    segments: createSegments(inference),
  });
  try {
    writeVoxels(host, segmentationId, envelope);
    for (const viewportId of findViewports(host, series.displaySetInstanceUid)) {
      await showMask(host, viewportId, segmentationId, inference);
      await turnToMask(host, viewportId, envelope);
    }
  } catch (error) {
    segmentationService.remove(segmentationId);
    throw error;
  }
  host.libraries.cornerstoneTools.segmentation.triggerSegmentationEvents.triggerSegmentationDataModified(
    segmentationId,
  );
  return { segmentationId, voxelMl: measureVoxelMl(host, displaySet.imageIds ?? []) };
}

/** Shows the mask in one viewport, in the colours of the model card, ready to edit. */
async function showMask(
  { services }: Host,
  viewportId: string,
  segmentationId: string,
  inference: Inference,
): Promise<void> {
  await services.segmentationService.addSegmentationRepresentation(viewportId, { segmentationId, type: 'Labelmap' });
  for (const segment of inference.segments) {
    services.segmentationService.setSegmentColor(viewportId, segmentationId, segment.number, [...segment.colour, 255]);
  }
  services.segmentationService.setActiveSegmentation(viewportId, segmentationId);
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
  for (const sopInstanceUid of slices) {
    const image = images.get(sopInstanceUid);
    if (image === undefined) return null;
    mask.push({ sopInstanceUid, voxels: image.voxelManager.getScalarData() });
  }
  return mask;
}

/** Where the slice on display holds nothing of the mask, turns to the one that holds most: else it looks as if empty. */
async function turnToMask(
  { services, libraries }: Host,
  viewportId: string,
  envelope: Envelope<LabelmapHead>,
): Promise<void> {
  const viewport = services.cornerstoneViewportService.getCornerstoneViewport(viewportId);
  const current = viewport?.getCurrentImageId?.();
  if (viewport?.setImageIdIndex === undefined || current === undefined) return;
  const voxels = new Map(envelope.head.slices.map((uid, index) => [uid, countForeground(sliceOf(envelope, index))]));
  const voxelsOf = (imageId: string) =>
    voxels.get(String(libraries.cornerstone.metaData.get('instance', imageId)?.['SOPInstanceUID'])) ?? 0;
  if (voxelsOf(current) > 0) return;
  const counts = (viewport.getImageIds?.() ?? []).map(voxelsOf);
  const most = Math.max(0, ...counts);
  if (most > 0) await viewport.setImageIdIndex(counts.indexOf(most));
}

function countForeground(slice: Uint8Array): number {
  let count = 0;
  for (const voxel of slice) if (voxel > 0) count++;
  return count;
}

function segmentationLabel({ model }: Inference): string {
  return `AI-generated, research use: ${model.name}@${model.version}`;
}

function createSegments({ segments, model }: Inference): Record<number, ohif.SegmentInput> {
  return Object.fromEntries(
    segments.map((segment, index) => [
      segment.number,
      {
        segmentIndex: segment.number,
        label: segment.label,
        active: index === 0,
        locked: false,
        cachedStats: {},
        algorithmType: 'AUTOMATIC',
        algorithmName: `${model.name} ${model.version}`,
      } satisfies ohif.SegmentInput,
    ]),
  );
}

function writeVoxels(host: Host, segmentationId: string, envelope: Envelope<LabelmapHead>): void {
  const images = findLabelmapImages(host, segmentationId) ?? new Map<string, ohif.CornerstoneImage>();
  envelope.head.slices.forEach((sopInstanceUid, index) => {
    const image = images.get(sopInstanceUid);
    if (image === undefined) throw new Error('The mask holds a slice that the viewer does not show.');
    const voxels = image.voxelManager.getScalarData();
    const slice = sliceOf(envelope, index);
    if (voxels.length !== slice.length) {
      throw new Error(`The mask has ${slice.length} voxels a slice, the image ${voxels.length}.`);
    }
    voxels.set(slice);
    image.voxelManager.setScalarData(voxels);
  });
}

function findLabelmapImages(host: Host, segmentationId: string): Map<string, ohif.CornerstoneImage> | null {
  const { cornerstone, cornerstoneTools } = host.libraries;
  const labelmap = cornerstoneTools.segmentation.state.getSegmentation(segmentationId)?.representationData.Labelmap;
  if (labelmap?.imageIds === undefined) return null;
  const images = new Map<string, ohif.CornerstoneImage>();
  for (const imageId of labelmap.imageIds) {
    const image = cornerstone.cache.getImage(imageId);
    const source = image?.referencedImageId;
    if (image === undefined || source === undefined) continue;
    const sopInstanceUid = cornerstone.metaData.get('instance', source)?.['SOPInstanceUID'];
    if (typeof sopInstanceUid === 'string') images.set(sopInstanceUid, image);
  }
  return images;
}

/** In-plane spacing times the distance between the first two slices along the normal (a slice gap counts). */
function measureVoxelMl({ libraries }: Host, imageIds: readonly string[]): number {
  const planes = imageIds.slice(0, 2).map((imageId) => libraries.cornerstone.metaData.get('imagePlaneModule', imageId));
  const [first, second] = planes;
  const area = Number(first?.['rowPixelSpacing'] ?? 0) * Number(first?.['columnPixelSpacing'] ?? 0);
  const a = first?.['imagePositionPatient'] as readonly number[] | undefined;
  const b = second?.['imagePositionPatient'] as readonly number[] | undefined;
  const step =
    a !== undefined && b !== undefined
      ? Math.hypot(...a.map((value, axis) => value - (b[axis] ?? value)))
      : Number(first?.['sliceThickness'] ?? 0);
  return (area * step) / 1000;
}
