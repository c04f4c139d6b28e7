import type { RoundVerdict } from '../jobs/rounds.ts';
import { armWords } from '../round/outcome.ts';
import { facts, type Html, html, page, raw, table } from '../round/report/html.ts';
import type { RoundRow } from '../store/rounds.ts';

/** A round whose gate has spoken. */
export type JudgedRound = RoundRow & { readonly verdict: RoundVerdict };

const triggers: Readonly<Record<RoundRow['trigger'], string>> = {
  corrections: 'corrections enough',
  clock: 'the clock, after a wait',
  person: 'a person',
};

/** What a round learnt from and how, each with its name. */
export function describeRound(round: JudgedRound): readonly (readonly [string, string])[] {
  const { verdict } = round;
  const { evidence, chosen, heldOut } = verdict;
  const passedOver = Object.entries(evidence.passedOver).map(([code, count]) => `${count} ${code}`);
  return [
    ['Versions', `${round.modelName} ${round.fromVersion} to ${round.toVersion ?? 'none'}`],
    ['Verdict', `${verdict.outcome}: ${verdict.reason}`],
    ...(round.refusal ? [['Refused', round.refusal.reason] as const] : []),
    ['Started by', triggers[round.trigger]],
    [
      'Slices',
      `${round.labelledSlices} corrected, ${round.replaySlices} replayed, ${round.unlabelledSlices} unlabelled`,
    ],
    ['Generalized teacher', round.generalizedTeacher],
    ...evidence.arms.map((arm) => [`Learnt ${armWords[arm.arm]}`, describeMeans(arm)] as const),
    ['Chosen', chosen.arm === null ? 'the version in service' : `${armWords[chosen.arm]}, ${chosen.source}`],
    ['Corrected slices', `Dice ${digits(evidence.corrected.before)} before, ${digits(evidence.corrected.after)} after`],
    ['Held-out patients', `${heldOut.patients} of ${heldOut.needed} needed`],
    ...(passedOver.length > 0 ? [['Series passed over', passedOver.join(', ')] as const] : []),
  ];
}

/** Subjects that never train, what lost most first: subject, Dice in service, Dice of the candidate. */
export function caseRows({ verdict: { cases } }: JudgedRound): readonly (readonly [string, number, number])[] {
  const rows = cases.map(({ subject, inService, candidate }) => [subject, inService.dice, candidate.dice] as const);
  return rows.toSorted((a, b) => a[2] - a[1] - (b[2] - b[1]));
}

/**
 * A round as one HTML page that stands alone.
 *
 * @param pictures `<svg>` of subjects that lost most, by name of the subject.
 */
export function renderRound(round: JudgedRound, pictures: ReadonlyMap<string, string>): string {
  const { fromVersion } = round;
  const figures = [...pictures].map(
    ([subject, svg]): Html => html`<figure>${raw(svg)}<figcaption>${subject}</figcaption></figure>`,
  );
  const cases = html`${table(['Subject', `Version ${fromVersion}`, 'Candidate'], caseRows(round))}
${figures}
<p class="note">Dice. Pictures: truth solid, version ${fromVersion} dotted, candidate dashed; generated subjects only, never a patient.</p>`;
  return page(`Round ${round.id.slice(0, 8)} of ${round.modelName}`, [
    ['What happened', facts(describeRound(round))],
    ['Subjects that never train, what lost most first', cases],
  ]);
}

function describeMeans({ step, steps, subjects, corrected, means }: RoundVerdict['evidence']['arms'][number]): string {
  const terms = Object.entries(means).map(([term, value]) => `${term} ${digits(value)}`);
  return `Dice ${digits(subjects)} on generated subjects, ${digits(corrected)} on corrected slices; best at step ${step} of ${steps}; means: ${terms.join(', ')}`;
}

function digits(value: number): string {
  return value.toFixed(3);
}
