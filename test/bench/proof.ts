import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type FuzzResult, hangMs } from '../proof/fuzz.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';

const seeds = 5;
/** Of each seed. Frames go through threads that are replaced after a fault, bodies of requests over HTTP. */
const cases: Readonly<Record<string, number>> = {
  'part-10': 50_000,
  'multi-frame': 40_000,
  seg: 50_000,
  'seg-kinds': 40_000,
  deflated: 30_000,
  rtstruct: 30_000,
  multipart: 35_000,
  'search-answer': 20_000,
  nifti: 20_000,
  frames: 2500,
  rest: 4000,
};
/** Inputs whose code runs in other threads or processes are not grown: what they reach is not seen. */
const growing = (target: string) => (target === 'frames' || target === 'rest' ? 0 : 1000);
const child = fileURLToPath(new URL('../proof/fuzz-child.ts', import.meta.url));
/** A hundred cases take less than this, or one of them never ends. */
const silenceMs = 100 * hangMs;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [target, count] of Object.entries(cases)) {
    for (let seed = 1; seed <= seeds; seed++) {
      const started = performance.now();
      const { faults, ...result } = await fuzzInChild(target, seed, count);
      for (const fault of faults) tell(`${target}: ${fault}`);
      const seconds = Math.round((performance.now() - started) / 1000);
      rows.push({ ...result, seed, faults: faults.length, seconds });
      tell(JSON.stringify(rows.at(-1)));
    }
  }
  return rows;
}

/** In a process of its own: its end, or its silence, is a fault of the last cases that it told. */
function fuzzInChild(target: string, seed: number, count: number): Promise<FuzzResult> {
  return new Promise((resolve) => {
    const running = fork(child, [target, String(seed), String(count), String(growing(target))], {
      execArgv: ['--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    let at = 0;
    let timer: NodeJS.Timeout;
    const expect = () => {
      clearTimeout(timer);
      timer = setTimeout(() => running.kill('SIGKILL'), silenceMs);
    };
    expect();
    let found: FuzzResult | undefined;
    running.on('message', (message: { readonly at?: number; readonly result?: FuzzResult }) => {
      expect();
      at = message.at ?? at;
      found = message.result ?? found;
    });
    running.once('exit', (code, signal) => {
      clearTimeout(timer);
      const faults = [`seed ${seed}, after case ${at}: the process ended (${signal ?? code})`];
      const nothing = { refused: 0, accepted: 0, corpus: 0, blocksBefore: 0, blocksAfter: 0, slowestMs: 0, peakMib: 0 };
      resolve(found ?? { target, cases: at, faults, ...nothing });
    });
  });
}

function report(rows: readonly Row[]): string {
  const lines = Object.keys(cases).map((target) => {
    const of = rows.filter((row) => row['target'] === target);
    const sum = (key: string) => numbersOf(of, key).reduce((total, value) => total + value, 0);
    const most = (key: string) => Math.max(0, ...numbersOf(of, key));
    const reached = growing(target) > 0 ? `${most('blocksBefore')} -> ${most('blocksAfter')}` : '';
    const counts = [sum('cases'), sum('refused'), sum('accepted'), sum('faults')];
    return [target, ...counts, most('slowestMs'), most('peakMib'), most('corpus'), reached];
  });
  const total = (key: string) => numbersOf(rows, key).reduce((sum, value) => sum + value, 0);
  const head = [
    'input',
    'damaged inputs',
    'refused with a code',
    'read nevertheless',
    '**faults**',
    'slowest, ms',
    'peak of the process, MiB',
    'inputs damaged',
    'blocks reached',
  ];
  return `${table(head, lines)}

${total('cases').toLocaleString('en')} damaged inputs: ${total('faults')} faults (a crash, a thrown value without a code, an answer of 500, or more than ${hangMs / 1000} s).`;
}

/** What damaged input does. */
export const proof: Bench = {
  name: 'proof',
  title: 'Damaged input',
  about:
    'Good inputs with one to five faults each (bits, bytes, lengths, digits, cuts, repeats, pieces of other inputs), read by the code of the server: ' +
    'DICOM files of a series and multi-frame objects up to their voxels, compressed frames through the decoder, SEGs of every kind and contours up to the labels on a grid, deflated data sets damaged within, multipart answers, search answers, NIfTI images, bodies of requests over HTTP. ' +
    `Each seed of each input in a process of its own. First, some damaged inputs are tried for more of the server's code (blocks, as V8 counts them): those that reach any are damaged further beside the good ones. A damaged input may be read, where the fault is in nothing that is needed, or refused with a code; anything else is a fault.`,
  run,
  report,
};
