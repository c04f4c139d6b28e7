import type { Host } from './host.ts';

/** How the images were arranged: stacks in rows and columns, or by a hanging protocol. */
export type ViewerLayout = { readonly rows: number; readonly columns: number } | { readonly protocolId: string };

/** The parts of the address that name what is open; all others stay. */
const studyKeys: ReadonlySet<string> = new Set([
  'studyinstanceuids',
  'seriesinstanceuids',
  'initialseriesinstanceuid',
  'initialsopinstanceuid',
]);

/** Opens a study in place of the one on display, without loading the page anew. The reader is asked about unsubmitted edits. */
export function openStudy({ commands }: Host, studyInstanceUid: string, seriesInstanceUid: string): void {
  const query = new URLSearchParams(
    [...new URLSearchParams(location.search)].filter(([key]) => !studyKeys.has(key.toLowerCase())),
  );
  query.set('StudyInstanceUIDs', studyInstanceUid);
  query.set('initialSeriesInstanceUID', seriesInstanceUid);
  const base = (window.config?.routerBasename ?? '').replace(/\/$/, '');
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : location.pathname;
  commands.run('navigateHistory', { to: `${path}?${query}` });
}

/** Of the study on display; to be restored once the next one is. */
export function readLayout({ services }: Host): ViewerLayout {
  const { layout, viewports } = services.viewportGridService.getState();
  // Plain stacks are arranged by hand; all else, such as three planes, comes from a hanging protocol.
  const isByHand = [...viewports.values()].every(({ viewportOptions }) => viewportOptions?.viewportType === 'stack');
  if (isByHand) return { rows: layout.numRows, columns: layout.numCols };
  return { protocolId: services.hangingProtocolService.getState().protocolId ?? 'default' };
}

/** Arranges the images as they were in the study before. */
export function restoreLayout(host: Host, layout: ViewerLayout): void {
  if ('protocolId' in layout) {
    host.commands.run('setHangingProtocol', { protocolId: layout.protocolId });
    return;
  }
  const { numRows, numCols } = host.services.viewportGridService.getState().layout;
  if (layout.rows === numRows && layout.columns === numCols) return;
  host.commands.run('setViewportGridLayout', { numRows: layout.rows, numCols: layout.columns });
}
