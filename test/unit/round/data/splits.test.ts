import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Random } from '../../../../server/src/engine/random.ts';
import { AppError } from '../../../../server/src/errors/app-error.ts';
import { Splits } from '../../../../server/src/round/data/splits.ts';
import { hasForeground } from '../../../../server/src/round/draw.ts';
import type { Drawn } from '../../../../server/src/round/feed.ts';
import { parseRecipe, type Recipe } from '../../../../server/src/round/recipe.ts';
import { createVolume } from '../../../../server/src/volume/volume.ts';
import { makeNifti } from '../../../fixtures/make-nifti.ts';
import {
  makePhantom,
  makePhantomSeg,
  makePhantomSeries,
  makeSiteFolder,
  type SiteCase,
  siteGeometry,
  siteRecipe,
  writeThreeCases,
} from '../../../fixtures/make-site.ts';

let folder: string;
let cases: readonly SiteCase[];
before(async () => {
  folder = await makeSiteFolder();
  cases = await writeThreeCases(folder);
});
after(() => rm(folder, { recursive: true }));

const split = (of: readonly SiteCase[], more: object = {}) => ({ kind: 'folder', path: folder, cases: of, ...more });
const training = (of: readonly SiteCase[], more: object = {}) => split(of, { slicesPerSubject: 6, ...more });

async function recipeOf(labelled: readonly SiteCase[], more: object = {}): Promise<Recipe> {
  const [, second, third] = cases as [SiteCase, SiteCase, SiteCase];
  return parseRecipe(
    await siteRecipe({ labelled: training(labelled, more), validation: training([second]), test: split([third]) }),
  );
}

const open = (recipe: Recipe) => Splits.open(recipe, { colin: undefined });
const drawAll = async (splits: Splits, split: 'labelled' | 'validation') => {
  const all: (Drawn & { readonly name: string })[] = [];
  for await (const subject of splits.draw(split)) all.push(subject);
  return all;
};
const refused = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AppError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.doesNotMatch(
    `${error.message} ${JSON.stringify(error.detail)}`,
    /Doe|Roe|Poe|uncol-site/,
    'no patient, no path',
  );
  return true;
};

/** Writes another truth for the first case. */
async function withTruth(name: string, file: Uint8Array): Promise<SiteCase> {
  await writeFile(join(folder, name), file);
  return { ...(cases[0] as SiteCase), truth: name };
}
const labelImage = (data: Uint8Array | Float32Array, geometry = siteGeometry) =>
  makeNifti(createVolume(data, geometry), { type: data instanceof Uint8Array ? 'uint8' : 'float32' });

test('NIfTI pairs and DICOM with SEG are read alike: the ball lies where it is bright', async () => {
  const splits = await open(await recipeOf([cases[0] as SiteCase]));
  const [nifti] = await drawAll(splits, 'labelled');
  const [dicom] = await drawAll(splits, 'validation');
  for (const [subject, seed] of [
    [nifti, 1],
    [dicom, 2],
  ] as const) {
    assert.ok(subject);
    assert.equal(subject.pieces.length, 6);
    const voxels = makePhantom(seed).truth.reduce((sum, value) => sum + value, 0);
    let inside = 0;
    for (const { image, label, known } of subject.pieces) {
      const mean = (wanted: number) => {
        const values = [...image].filter((_, n) => label[n] === wanted && known[n] === 1);
        inside += wanted === 1 ? values.length : 0;
        return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
      };
      const [bright, dark] = [mean(1), mean(0)];
      if (bright !== undefined) assert.ok(bright > (dark ?? 1) + 0.4, `${seed}: ${bright} in the ball, ${dark} around`);
    }
    // A prepared pixel has four times the volume of a voxel.
    assert.ok(inside > 0.4 * (voxels / 4) && inside < 1.1 * (voxels / 4), `${inside} pixels of ${voxels / 4}`);
  }
  assert.deepEqual([nifti?.name, dicom?.name], ['labelled 1', 'validation 1']);
  const whole: string[] = [];
  for await (const { name, volume } of splits.test()) {
    whole.push(name);
    assert.ok(volume.grid.size[2] > 10, 'whole subjects are tested');
  }
  assert.deepEqual(whole, ['test 1']);
});

test('a truth on another grid is carried over by geometry, and what it does not reach is not known', async () => {
  const [columns, rows] = [20, 40];
  const half = { ...siteGeometry, size: [columns, rows, 12] as const };
  const { truth } = makePhantom(1);
  const cropped = Uint8Array.from(
    { length: columns * rows * 12 },
    (_, n) => truth[Math.floor(n / 20) * 40 + (n % 20)] ?? 0,
  );
  const splits = await open(await recipeOf([await withTruth('half.nii', labelImage(cropped, half))]));
  const [subject] = await drawAll(splits, 'labelled');
  const whole = await open(await recipeOf([cases[0] as SiteCase])).then((all) => drawAll(all, 'labelled'));
  for (const [k, slice] of (whole[0]?.pieces ?? []).entries()) {
    const other = subject?.pieces[k];
    for (let n = 0; n < slice.label.length; n++) {
      // The image is centred: its left half is that of the grid.
      const isLeft = n % 32 < 16;
      assert.equal(other?.known[n], isLeft ? slice.known[n] : 0);
      assert.equal(other?.label[n], isLeft ? slice.label[n] : 0);
    }
  }
});

test('the values of a truth are mapped to segments of the card, and unknown ones are refused', async () => {
  const { truth } = makePhantom(1);
  const seven = await withTruth('seven.nii', labelImage(truth.map((label) => (label ? 7 : 3))));
  const plain = await open(await recipeOf([seven]));
  await assert.rejects(drawAll(plain, 'labelled'), refused('truth-segment-unknown', /Case labelled 1, truth: .* 3, /));
  const mapped = await open(await recipeOf([seven], { segments: { '7': 1 } }));
  const [subject] = await drawAll(mapped, 'labelled');
  assert.ok(subject?.pieces.some(hasForeground));
  const broken = await withTruth('half-label.nii', labelImage(Float32Array.from(truth, (label) => label / 2)));
  const fractions = await open(await recipeOf([broken], { segments: { '7': 1 } }));
  await assert.rejects(drawAll(fractions, 'labelled'), refused('truth-segment-unknown', /0\.5, which is no label/));
});

test('segments of a SEG are matched by label, or by number or label as mapped', async () => {
  const dicom = cases[1] as SiteCase;
  const recipe = async (segments?: object) => {
    const labelled = training([dicom], segments ? { segments } : {});
    const text = await siteRecipe({
      labelled,
      validation: training([cases[0] as SiteCase]),
      test: split([cases[2] as SiteCase]),
    });
    return open(parseRecipe(text));
  };
  for (const segments of [undefined, { '1': 1 }, { BALL: 1 }]) {
    const [subject] = await drawAll(await recipe(segments), 'labelled');
    assert.ok(subject?.pieces.some(hasForeground), JSON.stringify(segments));
  }
  const other = drawAll(await recipe({ Tumour: 1 }), 'labelled');
  await assert.rejects(other, refused('truth-segment-unknown', /segments 1; none of them is mapped/));
});

test('NIfTI and DICOM agree on where things are: image and truth may be of either kind', async () => {
  const dicom = cases[1] as SiteCase;
  const { image, truth } = makePhantom(2);
  await writeFile(join(folder, 'Roe-image.nii.gz'), makeNifti(image, { compress: true }));
  const mixed = [
    dicom,
    { ...dicom, truth: (await withTruth('Roe-label.nii', labelImage(truth))).truth },
    { ...dicom, image: 'Roe-image.nii.gz' },
  ];
  const text = await siteRecipe({
    labelled: training(mixed),
    validation: training([cases[0] as SiteCase]),
    test: split([cases[2] as SiteCase]),
  });
  const splits = await Splits.open(parseRecipe(text), { colin: undefined }, ['labelled']);
  const [first, ...others] = await splits.drawCases(3, Random.for(1, 'all'));
  assert.ok(first);
  assert.ok(hasForeground(first.volume));
  for (const { volume } of others) assert.deepEqual(volume, first.volume);
  assert.equal(others.length, 2);
});

test('a SEG in another frame of reference than its image is refused', async () => {
  const [, dicom] = cases as [SiteCase, SiteCase];
  await writeFile(
    join(folder, 'Roe-other.dcm'),
    makePhantomSeg(makePhantom(2), makePhantomSeries(makePhantom(2), 2, ''), 77),
  );
  const splits = await open(
    parseRecipe(
      await siteRecipe({
        labelled: training([{ ...dicom, truth: 'Roe-other.dcm' }]),
        validation: training([cases[0] as SiteCase]),
        test: split([cases[2] as SiteCase]),
      }),
    ),
  );
  await assert.rejects(
    drawAll(splits, 'labelled'),
    refused('truth-elsewhere', /labelled 1, truth: .*frame of reference/),
  );
});

test('a patient in two splits is refused, whatever blanks stand around the identifier', async () => {
  const [first, second] = cases as [SiteCase, SiteCase];
  const shared = { ...first, patient: ` ${second.patient} ` };
  await assert.rejects(
    open(await recipeOf([first, shared])),
    refused('split-patient-shared', /labelled 2 and case validation 1 .*labelled and validation must share none/),
  );
});

test('several images of one patient may stand in one split', async () => {
  const first = cases[0] as SiteCase;
  const splits = await open(await recipeOf([first, first]));
  assert.equal((await drawAll(splits, 'labelled')).length, 2);
});

test('an empty split is refused by name', async () => {
  await assert.rejects(open(await recipeOf([])), refused('split-empty', /labelled split holds no case/));
});

test('a labelled split without any foreground is refused by name', async () => {
  const empty = await withTruth('empty.nii', labelImage(new Uint8Array(40 * 40 * 12)));
  const splits = await open(await recipeOf([empty]));
  await assert.rejects(drawAll(splits, 'labelled'), refused('split-no-foreground', /labelled split/));
});

test('image and truth that lie apart are refused', async () => {
  const far = { ...siteGeometry, origin: [900, 0, 0] as const };
  const splits = await open(await recipeOf([await withTruth('far.nii', labelImage(makePhantom(1).truth, far))]));
  await assert.rejects(drawAll(splits, 'labelled'), refused('truth-elsewhere', /Case labelled 1.*do not overlap/));
});

test('a missing file, a folder without series and a damaged file are refused by case, without their names', async () => {
  const first = cases[0] as SiteCase;
  await writeFile(join(folder, 'Doe-cut.nii.gz'), makeNifti(makePhantom(1).image, { compress: true }).subarray(0, 900));
  await mkdir(join(folder, 'Poe-none'));
  for (const [changes, code, message] of [
    [{ truth: 'Doe-gone.nii' }, 'case-unreadable', /labelled 1, truth: The file is not there/],
    [{ truth: 'Roe-Richard' }, 'case-unreadable', /truth: The file is a folder/],
    [{ image: 'Doe-cut.nii.gz' }, 'nifti-invalid', /labelled 1, image: .*cut off or damaged/],
    [{ image: 'Poe-none' }, 'series-not-found', /image: .*no DICOM files/],
  ] as const) {
    const splits = await open(await recipeOf([{ ...first, ...changes }]));
    await assert.rejects(drawAll(splits, 'labelled'), refused(code, message));
  }
});

test('cases for the replay of a round are drawn without the other splits being there', async () => {
  const recipe = await recipeOf([cases[0] as SiteCase, cases[2] as SiteCase]);
  const splits = await Splits.open(recipe, { colin: undefined }, ['labelled']);
  const drawn = await splits.drawCases(5, Random.for(1, 'replay'));
  assert.deepEqual(drawn.map(({ name }) => name).sort(), ['labelled 1', 'labelled 2']);
});
