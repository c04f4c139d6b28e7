import type { SeriesRef } from '../service/state.ts';
import { findViewports } from './active-series.ts';
import type { Host } from './host.ts';
import { sliceIdOf } from './slices.ts';

/** The host takes this long at most to show other images. */
const showMs = 20_000;

/**
 * The display set that holds one volume of a series and nothing else. The viewer itself puts all volumes of a series into one
 * stack, or into one that changes with time, where a mask of one of them cannot be corrected: then one is set apart.
 *
 * @param slices Ids of the volume's slices.
 * @returns its Display Set Instance UID.
 * @throws Error when no display set holds all of the slices.
 */
export function findVolume(host: Host, series: SeriesRef, volume: string, slices: readonly string[]): string {
  const { displaySetService } = host.services;
  const wanted = new Set(slices);
  const ofVolume = (displaySet: ohif.DisplaySet) =>
    host.listImageIds(displaySet).filter((imageId) => wanted.has(sliceIdOf(host, imageId) ?? ''));
  const holders = displaySetService
    .getActiveDisplaySets()
    .filter(({ SeriesInstanceUID }) => SeriesInstanceUID === series.seriesInstanceUid)
    .filter((displaySet) => ofVolume(displaySet).length === slices.length);
  const alone = holders.find((displaySet) => host.listImageIds(displaySet).length === slices.length);
  if (alone !== undefined) return alone.displaySetInstanceUID;
  const [holder] = holders;
  if (holder === undefined) throw new Error('The viewer shows no images that hold the whole volume.');
  const made = setApart(host, holder, volume, slices);
  const imageIds = ofVolume(made);
  made.setAttributes({ imageIds, numImageFrames: imageIds.length });
  // Of a multi-frame object the host would show every frame in a stack.
  host.services.cornerstoneCacheService.stackImageIds.set(made.displaySetInstanceUID, imageIds);
  displaySetService.addDisplaySets(made);
  return made.displaySetInstanceUID;
}

/** Shows a display set in place of the one of a series, and waits until the viewport has it: it drops what is laid on it before. */
export async function showDisplaySet(host: Host, series: SeriesRef, displaySetInstanceUid: string): Promise<void> {
  const { viewportGridService, hangingProtocolService, displaySetService, cineService } = host.services;
  if (displaySetInstanceUid === series.displaySetInstanceUid) return;
  const active = viewportGridService.getActiveViewportId();
  const viewports = findViewports(host, series.displaySetInstanceUid);
  const viewportId = viewports.includes(active) ? active : viewports[0];
  if (viewportId === undefined) throw new Error('The series is no longer open in the viewer.');
  const updates = hangingProtocolService.getViewportsRequireUpdate(viewportId, displaySetInstanceUid);
  const [only, ...others] = updates;
  // What changes with time was shown as a volume; planes of a volume, side by side, stay planes.
  const viewportsToUpdate =
    only !== undefined && others.length === 0
      ? [{ ...only, viewportOptions: { ...only.viewportOptions, viewportType: 'stack' } }]
      : updates;
  const shown = waitForImages(host, viewportId, displaySetInstanceUid);
  if (displaySetService.getDisplaySetByUID(series.displaySetInstanceUid)?.isDynamicVolume) {
    // The host's own bar to play through time has nothing to play any more.
    cineService.setIsCineEnabled(false);
  }
  host.commands.run('setDisplaySetsForViewports', { viewportsToUpdate });
  await shown;
}

/** The volume's images out of a display set of several, as one that the viewer lists under the volume's name. */
function setApart(host: Host, holder: ohif.DisplaySet, volume: string, slices: readonly string[]): ohif.DisplaySet {
  const objects = new Set(slices.map((slice) => slice.split(':')[0]));
  const instances = (holder.instances ?? []).filter(({ SOPInstanceUID }) => objects.has(SOPInstanceUID));
  const [made] = host.makeDisplaySets(holder, instances);
  if (made === undefined) throw new Error('The viewer cannot show the volume apart.');
  // The name first: lists cut off what is long.
  const name = [volume, holder.SeriesDescription].filter(Boolean).join(' ');
  made.setAttributes({
    ...{ SeriesDescription: name, label: name },
    // Frames of a multi-frame object were looked at with those of its other volumes.
    ...{ isDynamicVolume: false, dynamicVolumeInfo: undefined, volumeLoaderSchema: 'cornerstoneStreamingImageVolume' },
  });
  return made;
}

function waitForImages(host: Host, viewportId: string, displaySetInstanceUid: string): Promise<void> {
  const { cornerstoneViewportService, viewportGridService } = host.services;
  const changed = cornerstoneViewportService.EVENTS['VIEWPORT_DATA_CHANGED'];
  if (changed === undefined) throw new Error('This version of the viewer does not tell when images are on display.');
  return new Promise((resolve, reject) => {
    const subscription = cornerstoneViewportService.subscribe(changed, (event: { readonly viewportId: string }) => {
      const now = viewportGridService.getState().viewports.get(viewportId)?.displaySetInstanceUIDs ?? [];
      if (event.viewportId !== viewportId || !now.includes(displaySetInstanceUid)) return;
      end();
      resolve();
    });
    const timer = setTimeout(() => {
      end();
      reject(new Error('The viewer did not show the volume in time.'));
    }, showMs);
    function end() {
      subscription.unsubscribe();
      clearTimeout(timer);
    }
  });
}
