import { concludeVerdict } from '../../server/src/promotion/gate.ts';
import type { Row } from './record.ts';
import {
  approve,
  cast,
  decisionOf,
  describeBase,
  describeChoice,
  heldOutFigures,
  type Job,
  round4,
} from './rounds-job.ts';
import { judgeCandidate, playRound, whyOf } from './rounds-play.ts';

const shifts = ['G', 'V'] as const;

interface Contrast {
  readonly seed: number;
  readonly domain: 'G' | 'V';
  readonly slices: number;
  readonly isTaught?: boolean;
  readonly hasReplay?: boolean;
}

/** The mild shift, by number of slices. @param isTaught with the generalized teacher. */
export function contrastJobs(seed: number, isTaught: boolean): readonly Job[] {
  return [1, 3, 5, 10].map((slices) => contrastJob({ seed, domain: 'G', slices, isTaught }));
}

/** The strong shift, for what it does to the old domain. */
export function strongContrastJobs(seed: number): readonly Job[] {
  return [contrastJob({ seed, domain: 'V', slices: 5 })];
}

/** The same without replay, to see what replay protects. */
export function forgettingJobs(seed: number): readonly Job[] {
  return shifts.map((domain) => contrastJob({ seed, domain, slices: 5, hasReplay: false }));
}

/** A subject of another contrast, corrected on some slices; the same of every arm. */
function contrastJob({ seed, domain, slices, isTaught = false, hasReplay = true }: Contrast): Job {
  const experiment = hasReplay ? 'new-contrast' : 'old-domain';
  const helper = isTaught ? '+teacher' : '';
  return {
    experiment,
    seed,
    name: `${experiment}${helper}/${domain}/${slices}/${seed}`,
    needsTeacher: isTaught,
    async play(world, teacher) {
      const first = 22_000 + 20 * seed + (domain === 'V' ? 10 : 0);
      const { corrected, others } = cast(world, first, domain);
      const approved = approve(corrected, slices);
      const corrections = [{ subject: corrected, labels: corrected.truth, approved, isNew: true }];
      const helped = teacher && isTaught ? { teacher } : {};
      const round = { seed: 10 * first + slices, corrections, uncorrected: others, hasReplay, ...helped };
      const played = await playRound(world, round);
      const key = { experiment, seed, subject: first, domain, slices, replay: hasReplay };
      const inService = world.parts.weights;
      const before = round4(await world.otherDice(inService, corrected, approved));
      const measured = async (weights: Float32Array, isPromoted: boolean) => ({
        before,
        after: round4(await world.otherDice(weights, corrected, approved)),
        ...(await heldOutFigures(world, [inService, weights], domain, isPromoted)),
      });
      const rows: Row[] = [];
      for (const [arm, candidate] of played.arms) {
        // A teacher plays no part in the supervised arm: it would only be there twice.
        if (isTaught && arm === 'supervised') continue;
        const verdict = await judgeCandidate(world, candidate, played.outcome);
        rows.push({
          ...{ ...key, arm: `${arm}${arm === 'uncol' ? helper : ''}` },
          ...(await measured(candidate.weights, verdict.passed)),
          verdict: concludeVerdict(verdict, 'auto').outcome,
          word: verdict.word,
          why: whyOf(verdict, candidate.choice),
          ...describeBase(verdict),
          chosen: describeChoice(candidate.choice),
        });
      }
      const exam = played.outcome.exam?.admitted.map((is) => (is ? 'admitted' : 'not admitted')).join(' ');
      const taught = isTaught ? { teacher: exam ?? 'not asked' } : {};
      const figures = await measured(played.candidate.weights, played.verdict.passed);
      return [...rows, { ...key, arm: `round${helper}`, ...figures, ...decisionOf(played), ...taught }];
    },
  };
}
