import { frameOf } from '../correction/frame.ts';
import type { SeriesRef } from '../service/state.ts';
import { findViewports } from './active-series.ts';
import type { Host } from './host.ts';

/** Slices of a series (see {@link sliceIdOf}) in the viewer's order; empty when it is no longer open. */
export function slicesInOrder(host: Host, { displaySetInstanceUid }: SeriesRef): readonly string[] {
  const imageIds = host.services.displaySetService.getDisplaySetByUID(displaySetInstanceUid)?.imageIds ?? [];
  return imageIds.map((imageId) => sliceIdOf(host, imageId)).filter((id) => id !== null);
}

/** The slice on display in the active viewport; null where none is. */
export function findCurrentSlice(host: Host): string | null {
  const { viewportGridService, cornerstoneViewportService } = host.services;
  const viewportId = viewportGridService.getState().activeViewportId;
  const viewport = viewportId === null ? null : cornerstoneViewportService.getCornerstoneViewport(viewportId);
  const imageId = viewport?.getCurrentImageId?.();
  return imageId === undefined ? null : sliceIdOf(host, imageId);
}

/** Turns every stack viewport of a series to one of its slices. */
export async function turnTo(host: Host, series: SeriesRef, slice: string): Promise<void> {
  for (const viewportId of findViewports(host, series.displaySetInstanceUid)) {
    const viewport = host.services.cornerstoneViewportService.getCornerstoneViewport(viewportId);
    const imageIds = viewport?.getImageIds?.() ?? [];
    const at = imageIds.findIndex((imageId) => sliceIdOf(host, imageId) === slice);
    if (at >= 0) await viewport?.setImageIdIndex?.(at);
  }
}

/**
 * Calls `listener` whenever a viewport shows another slice.
 *
 * @returns Stops it.
 */
export function listenToSlices(listener: () => void): () => void {
  const events = ['CORNERSTONE_STACK_NEW_IMAGE', 'CORNERSTONE_VOLUME_NEW_IMAGE'];
  // The viewport knows its new slice only after the event. Elements come and go, so the document listens, on the way in.
  const later = () => setTimeout(listener, 0);
  for (const event of events) document.addEventListener(event, later, true);
  return () => {
    for (const event of events) document.removeEventListener(event, later, true);
  };
}

/** A slice as the server names it: its SOP Instance UID, and for a frame of a multi-frame object `:` and its number. */
export function sliceIdOf({ libraries }: Host, imageId: string): string | null {
  const instance = libraries.cornerstone.metaData.get('instance', imageId);
  const uid = instance?.['SOPInstanceUID'];
  if (typeof uid !== 'string') return null;
  return Number(instance?.['NumberOfFrames'] ?? 1) > 1 ? `${uid}:${frameOf(imageId)}` : uid;
}
