import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { measureDisk } from '../store/disk-use.ts';
import { type DayTraffic, listTraffic } from '../store/traffic.ts';
import type { Outcome } from './output.ts';
import { withDatabase } from './state.ts';

/** Folders with a limit, and the setting of it, MB. */
const quotas: Readonly<Record<string, keyof Settings & ('embeddingQuotaMb' | 'roundVolumeQuotaMb')>> = {
  embeddings: 'embeddingQuotaMb',
  volumes: 'roundVolumeQuotaMb',
};

const partNames: Readonly<Record<DayTraffic['part'], string>> = {
  viewer: 'OHIF',
  server: 'server',
  infer: 'segmenting',
  train: 'rounds',
};

/** Disk space below UNCOL_HOME and traffic with the PACS of so many days. */
export async function runUsage(days: number): Promise<Outcome> {
  const settings = loadSettings();
  const disk = await measureDisk(settings.home);
  const traffic = await withDatabase(settings, async (database) => (database ? listTraffic(database, days) : []));
  const width = Math.max(0, ...disk.map(({ name }) => name.length));
  const total = disk.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    json: { disk, traffic },
    lines: [
      `Disk below UNCOL_HOME: ${megabytes(total)}`,
      ...disk.map(({ name, bytes }) => `  ${name.padEnd(width)}  ${megabytes(bytes)}${limitOf(name, settings)}`),
      `PACS, last ${days} days:`,
      ...(traffic.length === 0 ? ['  nothing yet'] : traffic.map(describe)),
    ],
  };
}

function limitOf(name: string, settings: Settings): string {
  const quota = quotas[name];
  return quota === undefined ? '' : ` of at most ${settings[quota].toLocaleString('en')} MB`;
}

function describe({ day, part, requests, receivedBytes, sentBytes }: DayTraffic): string {
  const counted = `${requests.toLocaleString('en')} request${requests === 1 ? '' : 's'}`;
  return `  ${day}  ${partNames[part].padEnd(10)}  ${counted}, ${megabytes(receivedBytes)} read, ${megabytes(sentBytes)} written`;
}

function megabytes(bytes: number): string {
  const digits = bytes < 1e8 ? 1 : 0;
  return `${(bytes / 1e6).toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} MB`;
}
