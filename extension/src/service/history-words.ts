import type { Candidate, Model, Quality, Round, Verdict } from '../api/contract.ts';
import { countOf, formatDice } from './words.ts';

/** A round in a list: when it ended, between which versions, and how. */
export function describeRound({ fromVersion, toVersion, finishedAt, refusal }: Round, { outcome }: Verdict): string {
  const when = finishedAt === null ? '' : `${formatDay(new Date(finishedAt))}: `;
  const versions = toVersion === null ? `version ${fromVersion}` : `version ${fromVersion} to ${toVersion}`;
  return `${when}${versions}, ${refusal === null ? outcome : 'refused by an administrator'}`;
}

/** Says that readers correct a version more than they did; nothing where they do not. */
export function describeDrift({ version, drift }: Quality['versions'][number]): string | null {
  if (!drift?.isFalling) return null;
  return `Masks of version ${version} are corrected more than before: Dice ${formatDice(drift.latest)} in the latest ten corrections, ${formatDice(drift.before)} earlier.`;
}

/** `26 Nov, 20:00`. */
function formatDay(moment: Date): string {
  return moment.toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
}

/** What started a round, as the reader sees it. */
export function describeTrigger({ trigger }: Pick<Round, 'trigger'>): string {
  return {
    corrections: 'Started by itself: there were corrections enough.',
    clock: 'Started by itself, when its time had come.',
    person: 'Started by a person.',
  }[trigger];
}

/** Where a version comes from, in one line. */
export function describeLineage({ parent, lineage, engine }: Pick<Model, 'parent' | 'lineage' | 'engine'>): string {
  if (lineage === null) return `trained from a recipe (${engine})`;
  const { corrections, seed, code, planSha256, round } = lineage;
  const commit = code.commit === null ? '' : `, commit ${code.commit.slice(0, 10)}`;
  return `from version ${parent}, ${countOf(corrections, 'correction')}; round ${round.slice(0, 8)}, data ${planSha256.slice(0, 10)}, seed ${seed}, ${engine}, UnCoL ${code.version}${commit}`;
}

/** One way of learning that a round tried: what came of it, and how far the teachers were trusted. */
export function describeArm({
  arm,
  step,
  steps,
  subjects,
  corrected,
  means,
}: Candidate['evidence']['arms'][number]): string {
  const how = arm === 'uncol' ? 'With unchecked studies' : 'From corrections alone';
  const length = steps === undefined ? '' : ` of ${steps}`;
  const trust = ['trustGeneralized', 'trustSpecialized', 'ignored'].flatMap((key) => {
    const value = means[key];
    return value === undefined ? [] : [`${(nameFigure(key) ?? key).toLowerCase()} ${Math.round(100 * value)} %`];
  });
  const rates = trust.length === 0 ? '' : `; ${trust.join(', ')} of pixels`;
  return `${how}: Dice ${formatDice(subjects)} on generated subjects, ${formatDice(corrected)} on corrected slices, best after step ${step}${length}${rates}.`;
}

const figureNames: Readonly<Record<string, string>> = {
  groundTruth: 'Loss on checked slices',
  pseudo: 'Loss on pseudo-labels',
  visual: 'Visual distillation',
  image: 'Loss on checked slices, outside the box',
  patch: 'Loss on checked slices, pasted',
  trustGeneralized: 'Foundation model trusted on',
  trustSpecialized: 'Own average trusted on',
  ignored: 'Trusted by neither',
};

/** A loss term or trust rate as the panel names it; null of what it does not show. */
export function nameFigure(key: string): string | null {
  return figureNames[key] ?? null;
}

/** Whether a figure is a share of pixels. */
export function isShare(key: string): boolean {
  return key.startsWith('trust') || key === 'ignored';
}
