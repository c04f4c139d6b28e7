import { Random } from '../../engine/random.ts';
import { AppError } from '../../errors/app-error.ts';
import type { Colin27 } from '../../sample/colin27.ts';
import type { Pacs } from '../../study/pacs.ts';
import { hasForeground } from '../draw.ts';
import { type Drawn, type Feed, feedOf } from '../feed.ts';
import type { LabelledVolume } from '../labelled-volume.ts';
import { portionOf, type Recipe, type SplitName, seedsOf } from '../recipe.ts';
import { prepareSubject } from '../subjects.ts';
import { inCase, type OpenCase, prepareCase } from './case.ts';
import { openDicomweb } from './dicomweb.ts';
import { openFolder } from './folder.ts';
import { looksOf } from './looks.ts';
import { isGenerated, type TrainingSplit } from './sources.ts';

/** Where the data of a recipe come from. */
export interface DataAccess {
  /** Anatomy of the generator; only recipes without generated splits do without it. */
  readonly colin: Colin27 | undefined;
  /** Connects to the PACS of a `dicomweb` split. */
  readonly openPacs?: ((url: string) => Promise<Pacs>) | undefined;
  /** Largest image accepted, voxels. Default: 400 million, as when serving. */
  readonly maxVoxels?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Is told what a reader of the progress should know. Holds no PHI. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** A whole subject of a split on the network's own grid. */
export interface SplitSubject {
  /** Without PHI: variation and seed, or split and number of the case. */
  readonly name: string;
  readonly volume: LabelledVolume;
}

/** What is drawn from a subject, and what its image looks like: traits of all of it, and of a part. */
export interface DrawnSubject extends Drawn, Pick<SplitSubject, 'name'> {
  readonly looks: readonly (readonly number[])[];
}

/** A split that is learnt from or chosen by. */
type DrawnSplit = 'labelled' | 'validation' | 'unlabelled';

const names = ['labelled', 'validation', 'test'] as const;
const defaultMaxVoxels = 400_000_000;
/** Air, neck and empty slices must be learnt too: a network that never saw them paints them. */
const foregroundShare = 0.8;

/** The splits of a recipe, found and checked, but not read yet. */
export class Splits {
  readonly #recipe: Recipe;
  readonly #access: DataAccess;
  readonly #cases = new Map<string, readonly OpenCase[]>();
  readonly #connections: Pacs[] = [];
  readonly #feed: Feed;

  private constructor(recipe: Recipe, access: DataAccess) {
    this.#recipe = recipe;
    this.#access = access;
    this.#feed = feedOf(recipe.card);
  }

  /**
   * Finds the cases of all splits, or of the wanted ones. The caller closes what it gets.
   *
   * @throws AppError `split-empty`, `split-patient-shared`; `config-invalid`: no connection to the PACS of a split is
   *   set up; those of {@link Pacs}
   */
  static async open(recipe: Recipe, access: DataAccess, wanted: readonly SplitName[] = names): Promise<Splits> {
    const splits = new Splits(recipe, access);
    try {
      for (const name of wanted) await splits.#find(name);
      splits.#checkPatients();
      return splits;
    } catch (error) {
      await splits.close();
      throw error;
    }
  }

  /** Whether all data are generated, so that the recipe alone says what they are. */
  get areGenerated(): boolean {
    return this.#cases.size === 0;
  }

  /** Whether a split is generated. */
  isGenerated(split: SplitName): boolean {
    return isGenerated(this.#recipe[split]);
  }

  /**
   * What is drawn from the subjects of a split, by seed, one subject at a time; nothing where the recipe has no such split.
   *
   * @throws AppError `split-no-foreground`, after the last; and what reading a case throws, with the name of the case
   */
  async *draw(
    split: DrawnSplit,
    onSubject: (done: number, all: number) => void = () => {},
  ): AsyncGenerator<DrawnSubject> {
    const choice = this.#recipe[split];
    if (!choice) return;
    const portion = { count: portionOf(choice), foregroundShare };
    const all = isGenerated(choice) ? seedsOf(choice.seeds).length : (this.#cases.get(split)?.length ?? 0);
    let [done, isEmpty] = [0, true];
    for await (const { name, volume, random } of this.#read(split, choice)) {
      const drawn = this.#feed.draw(volume, portion, random);
      isEmpty &&= !hasForeground(drawn.judged);
      done += 1;
      onSubject(done, all);
      yield { name, looks: looksOf(volume, Random.for(this.#recipe.seed, 'looks', name)), ...drawn };
    }
    if (isEmpty && split !== 'unlabelled') {
      throw new AppError('split-no-foreground', `No truth of the ${split} split holds any foreground.`, { split });
    }
  }

  /** Looks for the cases of the test split, which are read when all else is done. @throws AppError `case-unreadable` */
  async lookForTest(): Promise<void> {
    for (const one of this.#cases.get('test') ?? []) await one.look();
  }

  /** The whole subjects of the test split, one at a time. @throws what reading a case throws */
  async *test(): AsyncGenerator<SplitSubject> {
    const { task, card, test } = this.#recipe;
    for (const one of this.#cases.get('test') ?? []) yield await this.#prepare(one);
    if (!isGenerated(test)) return;
    const colin = this.#colin('test');
    for (const variation of ['sample', 'wide'] as const) {
      for (const seed of seedsOf(test.seeds)) {
        yield { name: `${variation}-${seed}`, volume: prepareSubject(colin, task, variation, seed, card.input) };
      }
    }
  }

  /** Some whole cases of the labelled split, drawn by `random`; none when it is generated. */
  async drawCases(count: number, random: Random): Promise<readonly SplitSubject[]> {
    const left = [...(this.#cases.get('labelled') ?? [])];
    const drawn: SplitSubject[] = [];
    while (drawn.length < count && left.length > 0) {
      const [one] = left.splice(random.int(left.length), 1);
      if (one) drawn.push(await this.#prepare(one));
    }
    return drawn;
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    await Promise.all(this.#connections.map((pacs) => pacs.close()));
  }

  /** The subjects of a split, each with the stream by which things are drawn from it. */
  async *#read(split: DrawnSplit, choice: TrainingSplit): AsyncGenerator<SplitSubject & { readonly random: Random }> {
    const { task, card, seed } = this.#recipe;
    for (const one of this.#cases.get(split) ?? []) {
      yield { ...(await this.#prepare(one)), random: Random.for(seed, 'slices', one.name) };
    }
    if (!isGenerated(choice)) return;
    const { variation } = choice;
    for (const subject of seedsOf(choice.seeds)) {
      const volume = prepareSubject(this.#colin(split), task, variation, subject, card.input);
      yield { name: `${variation}-${subject}`, volume, random: Random.for(subject, 'slices') };
    }
  }

  async #find(split: SplitName): Promise<void> {
    const source = this.#recipe[split];
    if (isGenerated(source)) return;
    const { segments, filter } = this.#recipe.card;
    const { signal, maxVoxels = defaultMaxVoxels, onNote = () => {} } = this.#access;
    const reading = { split, segments, maxVoxels, signal };
    const cases =
      source.kind === 'folder'
        ? openFolder(source, reading)
        : await openDicomweb(source, {
            ...reading,
            pacs: await this.#connect(split, source.url),
            modalities: filter.modality,
            onNote,
          });
    if (cases.length === 0) throw new AppError('split-empty', `The ${split} split holds no case.`, { split });
    this.#cases.set(split, cases);
  }

  async #connect(split: SplitName, url: string): Promise<Pacs> {
    const pacs = await this.#access.openPacs?.(url);
    if (!pacs) throw new AppError('config-invalid', `The ${split} split needs a PACS, and none can be reached here.`);
    this.#connections.push(pacs);
    return pacs;
  }

  #checkPatients(): void {
    const owner = new Map<string, OpenCase & { readonly split: string }>();
    for (const [split, cases] of this.#cases) {
      for (const one of cases) {
        const other = owner.get(one.patient);
        if (other && other.split !== split) {
          throw new AppError(
            'split-patient-shared',
            `Case ${other.name} and case ${one.name} are of one patient: ${other.split} and ${split} must share none.`,
            { splits: [other.split, split] },
          );
        }
        owner.set(one.patient, { ...one, split });
      }
    }
  }

  async #prepare(one: OpenCase): Promise<SplitSubject> {
    this.#access.signal?.throwIfAborted();
    const { image, truth } = await one.read();
    const volume = await inCase(one.name, 'image and truth', () => prepareCase(image, truth, this.#recipe.card.input));
    return { name: one.name, volume };
  }

  #colin(split: string): Colin27 {
    const { colin } = this.#access;
    if (!colin)
      throw new AppError('setup-failed', `The ${split} split is generated, and the sample volumes are missing.`);
    return colin;
  }
}
