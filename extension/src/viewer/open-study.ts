import type { Host } from './host.ts';

/** How the images were arranged. */
export interface ViewerLayout {
  readonly protocolId: string | undefined;
  readonly rows: number;
  readonly columns: number;
}

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
  const { numRows, numCols } = services.viewportGridService.getState().layout;
  const { protocolId } = services.hangingProtocolService.getState();
  return { protocolId, rows: numRows, columns: numCols };
}

/** Arranges the images as they were in the study before. */
export function restoreLayout(host: Host, { protocolId, rows, columns }: ViewerLayout): void {
  const now = readLayout(host);
  if (protocolId !== undefined && protocolId !== now.protocolId) {
    host.commands.run('setHangingProtocol', { protocolId });
  } else if (rows !== now.rows || columns !== now.columns) {
    host.commands.run('setViewportGridLayout', { numRows: rows, numCols: columns });
  }
}
