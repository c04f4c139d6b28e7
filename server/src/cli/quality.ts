import { loadSettings } from '../config/load.ts';
import { qualityOf, type VersionQuality } from '../promotion/quality.ts';
import { listJudgements } from '../store/pool.ts';
import type { Outcome } from './output.ts';
import { openRegistry, withDatabase } from './state.ts';

/** Corrections that are looked at. */
const latest = 1000;

/** How readers agreed with each version of a model, newest first. */
export function runQuality(model: string): Promise<Outcome> {
  const settings = loadSettings();
  return withDatabase(settings, async (database) => {
    const { card } = await openRegistry(settings, database).resolve(model);
    const segments = card.segments.map(({ label }) => label);
    const versions = database ? qualityOf(await listJudgements(database, model, latest)) : [];
    const lines = versions.map((version) => describe(model, version, segments));
    return {
      json: { model, segments, versions },
      lines: lines.length > 0 ? lines : [`Nobody has corrected a mask of ${model} yet.`],
    };
  });
}

function describe(model: string, quality: VersionQuality, segments: readonly string[]): string {
  const { version, corrections, accepted, dice, drift } = quality;
  const counts = `${corrections} correction${corrections === 1 ? '' : 's'}, ${accepted} of them accepted as they were`;
  const mean = dice === null ? '' : `; Dice ${dice.mean.toFixed(3)} (sd ${dice.sd.toFixed(3)})`;
  const each = quality.segments.map(
    ({ mean: of, corrections: n }, at) => `${segments[at] ?? at + 1} ${of === null ? '-' : of.toFixed(3)} (${n})`,
  );
  const parts = each.length > 1 ? `: ${each.join(', ')}` : '';
  const fall = drift?.isFalling
    ? `; falling: ${drift.latest.toFixed(3)} of late, ${drift.before.toFixed(3)} before (p ${drift.p.toFixed(3)})`
    : '';
  return `${model}@${version}  ${counts}${mean}${parts}${fall}`;
}
