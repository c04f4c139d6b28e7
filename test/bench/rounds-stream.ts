import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { concludeVerdict } from '../../server/src/promotion/gate.ts';
import { writeDurably } from '../../server/src/round/checkpoint.ts';
import { approve, decisionOf, heldOutFigures, type Job, round4 } from './rounds-job.ts';
import { playRound } from './rounds-play.ts';
import { sizes, type World } from './rounds-world.ts';
import type { SaidOf } from './shifted-subjects.ts';

const rounds = 10;
const domain = 'G';

/** Ten rounds in a row, a new subject of the other scanner each: what was promoted is what the next one starts from. */
export function streamJobs(seed: number): readonly Job[] {
  return Array.from({ length: rounds }, (_, n) => streamJob(seed, n + 1));
}

function streamJob(seed: number, round: number): Job {
  const first = 25_000 + 50 * seed;
  return {
    experiment: 'stream',
    seed,
    name: `stream/${seed}/${round}`,
    async play(world) {
      const inService = round === 1 ? world.parts.weights : await readVersion(world, seed, round - 1);
      const corrections = Array.from({ length: round }, (_, n): SaidOf => {
        const subject = world.subject(first + n, domain);
        return { subject, labels: subject.truth, approved: approve(subject, 5), isNew: n + 1 === round };
      });
      const newest = corrections.at(-1);
      if (!newest) throw new RangeError('a round without corrections');
      const uncorrected = Array.from({ length: sizes.unlabelledSubjects }, (_, n) =>
        world.subject(first + 40 + n, domain),
      );
      const played = await playRound(world, { seed: 100 * seed + round, corrections, uncorrected, inService });
      const isPromoted = concludeVerdict(played.verdict, 'auto').outcome === 'promoted';
      const serving = isPromoted ? played.candidate.weights : inService;
      const dice = (weights: Float32Array) => world.otherDice(weights, newest.subject, newest.approved);
      const row = {
        ...{ experiment: 'stream', arm: 'round', seed, round, subject: first + round - 1, domain },
        before: round4(await dice(inService)),
        after: round4(await dice(serving)),
        ...(await heldOutFigures(world, [inService, serving], domain, true, sizes.unseen.inStreams)),
        ...decisionOf(played),
      };
      await writeDurably(versionFile(world, seed, round), [new Uint8Array(Float32Array.from(serving).buffer)]);
      return [row];
    },
  };
}

function versionFile(world: World, seed: number, round: number): string {
  return join(world.parts.folder, `stream-${world.setup}-${seed}-${round}.weights.f32`);
}

/** The version in service after a round. */
async function readVersion(world: World, seed: number, round: number): Promise<Float32Array> {
  const bytes = await readFile(versionFile(world, seed, round));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
