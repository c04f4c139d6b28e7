import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import type { Engine } from '../../server/src/engine/ops.ts';
import { fromHalf } from '../../server/src/engine/vectors.ts';
import { cardSchema, type SliceCard, seesSlices } from '../../server/src/registry/card.ts';
import { hashWork } from '../../server/src/round/checkpoint.ts';
import type { CaseScores, ComparedCase } from '../../server/src/round/compare.ts';
import { feedOf } from '../../server/src/round/feed.ts';
import { type LabelledVolume, labelVolume } from '../../server/src/round/labelled-volume.ts';
import { Measure, scoresOf } from '../../server/src/round/measure.ts';
import { parseRecipe, type Recipe } from '../../server/src/round/recipe.ts';
import { prepareSubject } from '../../server/src/round/subjects.ts';
import { train } from '../../server/src/round/train.ts';
import { type Colin27, loadColin27 } from '../../server/src/sample/colin27.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import type { UnetVariant } from '../../server/src/student/prob-unet.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { benchThreads } from './limits.ts';
import { makeShifted, type ShiftedSubject } from './shifted-subjects.ts';

/** Kinds of subject: those the first version was made of, a mild shift and a strong one. */
export type Domain = 'base' | 'G' | 'V';

/** Sizes of everything measured; rows of others say nothing beside these. */
export const sizes = {
  sizePx: 96,
  base: { steps: 1200, batch: 8, subjects: { from: 700, to: 723 } },
  roundSteps: 100,
  unlabelledSlices: 24,
  unlabelledSubjects: 2,
  /** Subjects that never train, choose or judge. What was promoted is measured on many, since a point is little. */
  old: { from: 60_000, count: 48, ofPromoted: 240 },
  unseen: { from: 61_000, count: 24, inStreams: 96 },
} as const;

interface WorldParts {
  /** Rows, versions and rounds lie here. */
  readonly folder: string;
  readonly colin: Colin27;
  readonly engine: Engine;
  readonly recipe: Recipe;
  readonly card: SliceCard;
  /** The version in service at first. */
  readonly weights: Float32Array;
  readonly measure: Measure;
}

/** All that rounds are played in: the first version, and whom it is measured on. */
export class World {
  readonly parts: WorldParts;
  readonly #heldOut = new Map<string, LabelledVolume>();
  readonly #judges: readonly { readonly subject: string; readonly judged: LabelledVolume }[];
  /** Both by the hash of the weights: a version is read anew for each round. */
  readonly #seen = new Map<string, readonly CaseScores[]>();
  readonly #dice = new Map<string, number>();

  private constructor(parts: WorldParts) {
    this.parts = parts;
    const { card, colin } = parts;
    const feed = feedOf(card);
    this.#judges = card.baseSet.seeds.map((seed) => ({
      subject: `base-${seed}`,
      judged: feed.judgedWhole(prepareSubject(colin, card.baseSet.task, 'sample', seed, card.input)),
    }));
  }

  /**
   * Opens the folder of the bench; the first version is trained where it is not there yet, and kept.
   *
   * @param tell hears of its progress.
   */
  static async open(tell: (line: string) => void, variant: UnetVariant): Promise<World> {
    const folder = join(process.env['UNCOL_HOME'] ?? join(tmpdir(), 'uncol-bench-home'), 'rounds-bench');
    const { root, skip } = await findSampleRoot();
    if (skip) throw new Error(skip);
    const colin = await loadColin27(root);
    const engine = createOnnxEngine({ threads: benchThreads });
    const recipe = await baseRecipe(engine, variant);
    const version = join(folder, `base-${hashWork(recipe).slice(0, 12)}`);
    const isThere = await access(version).then(
      () => true,
      () => false,
    );
    if (!isThere) {
      const draft = `${version}.draft`;
      await mkdir(draft, { recursive: true });
      await train(recipe, {
        folder: draft,
        colin,
        engine,
        onEvent: (event) => event.kind === 'validation' && tell(`first version: ${JSON.stringify(event)}`),
      });
      await rm(join(draft, 'checkpoint.bin'), { force: true });
      await rename(draft, version);
    }
    const card = cardSchema.parse(JSON.parse(await readFile(join(version, 'card.json'), 'utf8')));
    if (!seesSlices(card)) throw new RangeError('a model of slices is wanted');
    const weights = fromHalf(await readFile(join(version, card.weights.file)));
    return new World({ folder, colin, engine, recipe, card, weights, measure: await Measure.create(engine, card) });
  }

  /** Names a state of affairs: rows kept under another name are not of this one. */
  get setup(): string {
    const { weights, gate, baseSet } = this.parts.card;
    return hashWork({ sizes, weights: weights.sha256, gate, baseSet, serves: 'better' }).slice(0, 12);
  }

  subject(seed: number, domain: Domain): ShiftedSubject {
    return makeShifted(this.parts.colin, seed, domain);
  }

  /** Dice, as served, of subjects of a kind that nothing else is made of, one by one: the first so many. */
  async heldOut(weights: Float32Array, domain: Domain, count: number): Promise<readonly number[]> {
    const hash = hashOf(weights);
    const dice: number[] = [];
    for (let n = 0; n < count; n++) {
      const key = `${hash}/${domain}/${n}`;
      const found = this.#dice.get(key) ?? (await this.parts.measure.servedDice(weights, this.#heldOutOf(domain, n)));
      this.#dice.set(key, found);
      dice.push(found);
    }
    return dice;
  }

  /** Dice, as served, on the slices of a subject that are not approved. */
  otherDice(weights: Float32Array, subject: ShiftedSubject, approved: ReadonlySet<number>): Promise<number> {
    const { geometry } = subject.series.volume;
    const others = new Set([...Array(geometry.size[2]).keys()].filter((k) => !approved.has(k)));
    const labels = { data: subject.truth, geometry, segments: [] };
    const volume = labelVolume(subject.series.volume, labels, this.parts.card.input, others);
    return this.parts.measure.servedDice(weights, volume);
  }

  /** Both versions on the subjects of the gate, as a round compares them. */
  async compare(inService: Float32Array, candidate: Float32Array): Promise<readonly ComparedCase[]> {
    const [before, after] = [await this.#scores(inService), await this.#scores(candidate)];
    return this.#judges.flatMap(({ subject }, at) => {
      const [inService, candidate] = [before[at], after[at]];
      return inService && candidate ? [{ subject, set: 'base' as const, inService, candidate }] : [];
    });
  }

  async #scores(weights: Float32Array): Promise<readonly CaseScores[]> {
    const hash = hashOf(weights);
    const found = this.#seen.get(hash);
    if (found) return found;
    const scores: CaseScores[] = [];
    for (const { judged } of this.#judges)
      scores.push(scoresOf(await this.parts.measure.serve(weights, judged), judged));
    this.#seen.set(hash, scores);
    return scores;
  }

  #heldOutOf(domain: Domain, n: number): LabelledVolume {
    const key = `${domain}/${n}`;
    const found = this.#heldOut.get(key);
    if (found) return found;
    const { from } = domain === 'base' ? sizes.old : sizes.unseen;
    const { series, truth } = this.subject(from + n + (domain === 'V' ? 500 : 0), domain);
    const labels = { data: truth, geometry: series.volume.geometry, segments: [] };
    const { card } = this.parts;
    const made = feedOf(card).judgedWhole(labelVolume(series.volume, labels, card.input));
    this.#heldOut.set(key, made);
    return made;
  }
}

function hashOf(weights: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength))
    .digest('hex');
}

/** The recipe of lesion-mr with small slices and subjects of its own. */
async function baseRecipe(engine: Engine, variant: UnetVariant): Promise<Recipe> {
  const file = new URL('../../models/lesion-mr/1/recipe.json', import.meta.url);
  const published = parseRecipe(await readFile(file, 'utf8'));
  const student = studentOf({ network: 'prob-unet-2d', variant, classes: 2 });
  const { sizePx, base } = sizes;
  const inferenceParameters = engine.table(student.inferenceProgram(1, [sizePx, sizePx])).size;
  return parseRecipe(
    JSON.stringify({
      ...published,
      labelled: { ...published.labelled, seeds: base.subjects, slicesPerSubject: 40 },
      test: { seeds: { from: 20_100, to: 20_100 } },
      stage1: {
        ...published.stage1,
        steps: base.steps,
        batch: base.batch,
        learningRate: 2e-3,
        validateEvery: base.steps / 6,
      },
      card: {
        ...published.card,
        input: { ...published.card.input, sizePx: [sizePx, sizePx] },
        architecture: { ...published.card.architecture, variant, inferenceParameters },
      },
    }),
  );
}
