import { Random } from '../../server/src/engine/random.ts';
import { fromHalf, toHalf } from '../../server/src/engine/vectors.ts';
import { concludeVerdict, judge } from '../../server/src/promotion/gate.ts';
import { meanOf } from '../../server/src/round/statistics.ts';
import type { Row } from './record.ts';
import { approve, cast, decisionOf, describeBase, type Job, round4 } from './rounds-job.ts';
import { judgeCandidate, type Played, playRound, whyOf } from './rounds-play.ts';
import { type Poison, poisonMasks, poisons } from './rounds-poison.ts';
import { sizes, type World } from './rounds-world.ts';
import { servedMasks } from './served-dice.ts';
import type { SaidOf } from './shifted-subjects.ts';

/** Five kinds of wrong masks, each on one subject of a seed: none may be promoted. */
export function poisonJobs(seed: number): readonly Job[] {
  return poisons.map((poison) => poisonJob(poison, seed));
}

/** Candidates without any true gain. */
export function nothingGainedJobs(seed: number): readonly Job[] {
  return [ownMasksJob(seed), perturbedJob(seed)];
}

function poisonJob(poison: Poison, seed: number): Job {
  return {
    experiment: 'poison',
    seed,
    name: `poison/${poison}/${seed}`,
    async play(world) {
      const domain = seed % 2 === 0 ? 'G' : 'base';
      const first = 23_000 + 100 * seed + 10 * poisons.indexOf(poison);
      const { corrected, others } = cast(world, first, domain);
      const approved = approve(corrected, 5);
      const labels = poisonMasks(poison, corrected, approved, seed);
      const corrections = [{ subject: corrected, labels, approved, isNew: true }];
      const played = await playRound(world, { seed: first, corrections, uncorrected: others });
      const dice = (weights: Float32Array) => world.otherDice(weights, corrected, approved);
      const { newCorrections } = played.outcome;
      return [
        {
          ...{ experiment: 'poison', arm: poison, seed, subject: first, domain },
          before: round4(await dice(world.parts.weights)),
          after: round4(await dice(played.candidate.weights)),
          learnt: newCorrections === null ? null : round4(newCorrections),
          ...decisionOf(played),
          ...(await askOfLast(world, played)),
        },
      ];
    },
  };
}

/** What the gate, without the choice before it, says of the last step's students. */
async function askOfLast(world: World, { last, outcome }: Played): Promise<Row> {
  const words: Row[] = [];
  for (const [arm, candidate] of last) {
    const verdict = await judgeCandidate(world, candidate, outcome);
    words.push({ [`${arm}Last`]: `${whyOf(verdict, candidate.choice)}, ${verdict.word ?? 'no word'}` });
  }
  return Object.assign({}, ...words);
}

/** Corrections that repeat what the version in service finds, and no replay: nothing to learn that it does not know. */
function ownMasksJob(seed: number): Job {
  return {
    experiment: 'a-a',
    seed,
    name: `a-a/own-masks/${seed}`,
    async play(world) {
      const first = 24_000 + 10 * seed;
      const { corrected, others } = cast(world, first, 'base');
      const { engine, card, weights } = world.parts;
      const [own] = await servedMasks(engine, card, weights, [corrected.series.volume]);
      const approved = approve(corrected, 5);
      const said: SaidOf = { subject: corrected, labels: own ?? new Uint8Array(), approved, isNew: true };
      const played = await playRound(world, {
        seed: first,
        corrections: [said],
        uncorrected: others,
        hasReplay: false,
      });
      return [
        {
          ...{ experiment: 'a-a', arm: 'own-masks', seed, subject: first },
          ...(await trueGain(world, played.candidate.weights)),
          ...decisionOf(played),
          ...(await askOfLast(world, played)),
        },
      ];
    },
  };
}

/** Relative, of every weight. */
const perturbation = 0.01;

/** A candidate that is the version in service, shaken. */
function perturbedJob(seed: number): Job {
  return {
    experiment: 'a-a',
    seed,
    name: `a-a/perturbed/${seed}`,
    async play(world) {
      const random = Random.for(seed, 'perturbed');
      const { card, weights } = world.parts;
      const shaken = fromHalf(toHalf(weights.map((weight) => weight * (1 + random.normal(perturbation)))));
      const cases = await world.compare(weights, shaken);
      const labels = card.segments.map(({ label }) => label);
      const verdict = judge({ cases, newCorrections: null, isErasure: false, isInService: false }, card.gate, labels);
      return [
        {
          ...{ experiment: 'a-a', arm: 'perturbed', seed, subject: null },
          ...(await trueGain(world, shaken)),
          verdict: concludeVerdict(verdict, 'auto').outcome,
          word: verdict.word,
          ...describeBase(verdict),
        },
      ];
    },
  };
}

/** Dice of the version in service and of a candidate on subjects that the gate does not see. */
async function trueGain(world: World, weights: Float32Array): Promise<Row> {
  const dice = async (of: Float32Array) => round4(meanOf(await world.heldOut(of, 'base', sizes.old.count)));
  return { before: await dice(world.parts.weights), after: await dice(weights) };
}
