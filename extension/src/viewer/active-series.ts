import type { SeriesRef } from '../service/state.ts';
import type { Host } from './host.ts';

const derivedModalities: ReadonlySet<string> = new Set(['SEG', 'RTSTRUCT', 'SR', 'RTDOSE', 'PMAP']);

/** The image series of the active viewport; null when it shows none. */
export function findActiveSeries({ services }: Host): SeriesRef | null {
  const { activeViewportId, viewports } = services.viewportGridService.getState();
  const viewport = activeViewportId === null ? undefined : viewports.get(activeViewportId);
  for (const uid of viewport?.displaySetInstanceUIDs ?? []) {
    const displaySet = findImageDisplaySet(services, uid);
    if (displaySet !== null) {
      return {
        studyInstanceUid: displaySet.StudyInstanceUID,
        seriesInstanceUid: displaySet.SeriesInstanceUID,
        volume: null,
        displaySetInstanceUid: displaySet.displaySetInstanceUID,
        modality: displaySet.Modality,
        description: displaySet.SeriesDescription ?? '',
      };
    }
  }
  return null;
}

/** Ids of the viewports that show a display set as images (not as a 3D rendering). */
export function findViewports({ services }: Host, displaySetInstanceUid: string): readonly string[] {
  const { viewports } = services.viewportGridService.getState();
  return [...viewports.values()]
    .filter((viewport) => viewport.displaySetInstanceUIDs.includes(displaySetInstanceUid))
    .filter((viewport) => viewport.viewportOptions?.viewportType !== 'volume3d')
    .map((viewport) => viewport.viewportId);
}

function findImageDisplaySet(services: ohif.Services, uid: string): ohif.DisplaySet | null {
  const displaySet = services.displaySetService.getDisplaySetByUID(uid);
  if (displaySet === undefined) return null;
  if (!derivedModalities.has(displaySet.Modality)) return displaySet;
  const source = displaySet.referencedDisplaySetInstanceUID;
  return source === undefined ? null : (services.displaySetService.getDisplaySetByUID(source) ?? null);
}
