import type { SeriesAddress } from './pacs.ts';

/** One volume: a series, or of a series with several volumes one of them. */
export interface VolumeAddress extends SeriesAddress {
  /** As the refusal `series-several-volumes` names it; empty where the series holds one. */
  readonly volume: string;
}

/** Tells volumes apart: the Series Instance UID, with the volume's name behind it where it has one. */
export function volumeKey({ seriesInstanceUid, volume }: Omit<VolumeAddress, 'studyInstanceUid'>): string {
  return volume === '' ? seriesInstanceUid : `${seriesInstanceUid} ${volume}`;
}
