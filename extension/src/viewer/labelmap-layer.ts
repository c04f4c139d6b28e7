import type { LabelmapHead } from '../api/contract.ts';
import { type Envelope, sliceOf } from '../api/envelope.ts';
import type { SeriesRef } from '../service/state.ts';
import { findViewports } from './active-series.ts';
import type { Host } from './host.ts';
import { sliceIdOf } from './slices.ts';

/** One entry of a layer's legend. */
export interface LayerSegment {
  readonly number: number;
  readonly label: string;
  /** sRGB 0..255. */
  readonly colour: readonly number[];
}

/** What a layer is called and shows. */
export interface LayerLook {
  readonly label: string;
  readonly algorithmName: string;
  readonly segments: readonly LayerSegment[];
  /** Locked segments cannot be painted. */
  readonly isLocked: boolean;
}

/**
 * Adds a labelmap to the viewer in every viewport that shows the series. Slices are paired by slice id, never by
 * position: the viewer's order may be the reverse of the server's.
 *
 * @returns the host's segmentation id.
 * @throws Error when the display set is gone or the grids differ; nothing is left in the viewer then.
 */
export async function addLabelmap(
  host: Host,
  series: SeriesRef,
  look: LayerLook,
  envelope: Envelope<LabelmapHead>,
): Promise<string> {
  const { segmentationService, displaySetService } = host.services;
  const displaySet = displaySetService.getDisplaySetByUID(series.displaySetInstanceUid);
  if (displaySet === undefined) throw new Error('The series is no longer open in the viewer.');
  const segmentationId = await segmentationService.createLabelmapForDisplaySet(displaySet, {
    label: look.label,
    segments: createSegments(look),
  });
  try {
    writeVoxels(host, segmentationId, envelope);
    for (const viewportId of findViewports(host, series.displaySetInstanceUid)) {
      await segmentationService.addSegmentationRepresentation(viewportId, { segmentationId, type: 'Labelmap' });
      for (const { number, colour } of look.segments) {
        segmentationService.setSegmentColor(viewportId, segmentationId, number, [...colour, 255]);
      }
    }
  } catch (error) {
    segmentationService.remove(segmentationId);
    throw error;
  }
  host.libraries.cornerstoneTools.segmentation.triggerSegmentationEvents.triggerSegmentationDataModified(
    segmentationId,
  );
  return segmentationId;
}

/** Makes a segmentation the one that tools paint on, in every viewport that shows the series. */
export function activate(host: Host, series: SeriesRef, segmentationId: string): void {
  for (const viewportId of findViewports(host, series.displaySetInstanceUid)) {
    host.services.segmentationService.setActiveSegmentation(viewportId, segmentationId);
  }
}

/** Images of a segmentation by the slices that they lie on; null when it is not in the viewer. */
export function findLabelmapImages(host: Host, segmentationId: string): Map<string, ohif.CornerstoneImage> | null {
  const { cornerstone, cornerstoneTools } = host.libraries;
  const labelmap = cornerstoneTools.segmentation.state.getSegmentation(segmentationId)?.representationData.Labelmap;
  if (labelmap?.imageIds === undefined) return null;
  const images = new Map<string, ohif.CornerstoneImage>();
  for (const imageId of labelmap.imageIds) {
    const image = cornerstone.cache.getImage(imageId);
    const source = image?.referencedImageId;
    if (image === undefined || source === undefined) continue;
    const slice = sliceIdOf(host, source);
    if (slice !== null) images.set(slice, image);
  }
  return images;
}

function createSegments({ segments, algorithmName, isLocked }: LayerLook): Record<number, ohif.SegmentInput> {
  return Object.fromEntries(
    segments.map(({ number, label }, index) => [
      number,
      {
        segmentIndex: number,
        label,
        active: index === 0,
        locked: isLocked,
        cachedStats: {},
        algorithmType: 'AUTOMATIC',
        algorithmName,
      } satisfies ohif.SegmentInput,
    ]),
  );
}

function writeVoxels(host: Host, segmentationId: string, envelope: Envelope<LabelmapHead>): void {
  const images = findLabelmapImages(host, segmentationId) ?? new Map<string, ohif.CornerstoneImage>();
  envelope.head.slices.forEach((id, index) => {
    const image = images.get(id);
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
