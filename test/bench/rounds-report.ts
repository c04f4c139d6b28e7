import { interval95, meanOf, sdOf } from '../../server/src/round/statistics.ts';
import { numbersOf, type Row, table } from './record.ts';
import { sizes } from './rounds-world.ts';
import { rateAtMost } from './statistics.ts';

/** What a promoted version may lose on the domain that it was made of. */
const allowedLoss = 0.01;
/** How far the version in service may fall below its best on the way. */
const allowedFall = 0.005;

/** All experiments that have rows, each with its tables and what follows from them. */
export function report(rows: readonly Row[]): string {
  const parts = [
    ['Wrong masks', 'poison', describePoison],
    ['Nothing to gain', 'a-a', describeNothingGained],
    ['A subject of another contrast', 'new-contrast', describeContrast],
    ['The old domain', 'old-domain', describeOld],
    ['Ten rounds in a row', 'stream', describeStream],
  ] as const;
  return parts
    .map(([title, experiment, describe]) => {
      const own = rows.filter((row) => row['experiment'] === experiment);
      const earlier = own.some((row) => row['isEarlier'] === true)
        ? '*Played when what is not worse served by itself, too; not played again yet.*\n\n'
        : '';
      return `## ${title}\n\n${earlier}${own.length > 0 ? describe(own, rows) : 'Not run yet.'}`;
    })
    .join('\n\n');
}

function describePoison(rows: readonly Row[]): string {
  const promoted = rows.filter(isPromoted);
  const body = valuesOf(rows, 'arm').map((arm) => {
    const of = where(rows, { arm });
    const whys = countsOf(of.map((row) => String(row['why'])));
    const alone = of.flatMap((row) => [row['uncolLast'], row['supervisedLast']]).filter(isPassed);
    return [arm, of.length, of.filter(isPromoted).length, whys, `${alone.length} of ${2 * of.length}`];
  });
  const claim = promoted.length === 0 ? 'holds' : `**does not hold**: ${promoted.map(nameOf).join('; ')}`;
  return `${table(['masks', 'rounds', 'promoted', 'why', 'last steps that the gate alone would pass'], body)}

Claim: no round that learnt from wrong masks is promoted. In ${rows.length} rounds it ${claim}. ${boundOf(promoted.length, rows.length)}`;
}

function describeNothingGained(rows: readonly Row[]): string {
  const body = valuesOf(rows, 'arm').map((arm) => {
    const of = where(rows, { arm });
    const better = of.filter(isCalledBetter);
    const last = of.flatMap((row) => [row['uncolLast'], row['supervisedLast']]).filter((word) => word !== undefined);
    const lastBetter = last.filter((word) => String(word).endsWith(', better')).length;
    const false_ = better.filter((row) => !(gainOf(row, '') > 0)).length;
    const trueGain = spread(of.map((row) => gainOf(row, '')));
    return [
      arm,
      of.length,
      of.filter(isPromoted).length,
      better.length,
      false_,
      trueGain,
      ratio(lastBetter, last.length),
    ];
  });
  const better = rows.filter(isCalledBetter).length;
  const share = (100 * better) / rows.length;
  const claim = share <= 5 ? 'holds' : '**does not hold**';
  return `${table(['candidate', 'rounds', 'promoted', 'called better', 'of them wrongly', 'gain on unseen subjects, mean (sd)', 'last steps that the gate alone would call better'], body)}

Claim: a candidate that gains nothing is called better in at most 5 % of rounds. Called better here: ${better} of ${rows.length} (${share.toFixed(0)} %), so it ${claim}. Wrongly: the gain on the subjects that neither choice nor gate has seen is not above 0. *Not worse* passes the gate and waits for a person. ${boundOf(better, rows.length)}`;
}

/** The part of {@link report} on subjects of another contrast. */
export function describeContrast(rows: readonly Row[]): string {
  const arms = valuesOf(rows, 'arm');
  const tables = valuesOf(rows, 'domain').map((domain) => {
    const body = valuesOf(where(rows, { domain }), 'slices').flatMap((slices) =>
      arms.flatMap((arm) => {
        const of = where(rows, { domain, slices, arm });
        if (of.length === 0) return [];
        const cells = ['', 'unseen'].map((what) => gainCell(of, what));
        return [[slices, arm, of.length, spread(numbersOf(of, 'before')), spread(numbersOf(of, 'after')), ...cells]];
      }),
    );
    const head = [
      'slices',
      'arm',
      'seeds',
      'before',
      'after',
      'gain on the subject (95 %)',
      'gain on unseen subjects (95 %)',
    ];
    return `${domain === 'G' ? 'Mild shift' : 'Strong shift'}:\n\n${table(head, body)}`;
  });
  return [...tables, ...arms.map((arm) => contrastSentence(rows, arm))].join('\n\n');
}

/** Differences over seeds, rounds of one seed and domain counted once by their mean. */
function contrastSentence(rows: readonly Row[], arm: string | number): string {
  const own = where(rows, { arm });
  if (arm === 'supervised') {
    const gain = interval(bySeed(own, (row) => gainOf(row, '')));
    return `Claim: a subject of another contrast gains from the slices approved of it. Supervised and replay alone: ${gain.text}, so it ${gain.low > 0 ? 'holds' : 'is not shown'}.`;
  }
  const against = (what: string) =>
    interval(
      bySeed(own, (row) => {
        const [other] = rows.filter((one) => one['arm'] === 'supervised' && isOfSameRound(one, row));
        return other
          ? Number(row[`${what}After`] ?? row['after']) - Number(other[`${what}After`] ?? other['after'])
          : Number.NaN;
      }),
    );
  const [subject, unseen, old] = [against(''), against('unseen'), against('old')];
  return `${arm} against supervised, paired: the subject ${subject.text}; unseen subjects of its kind ${unseen.text}; old domain ${old.text}.`;
}

function describeOld(rows: readonly Row[], all: readonly Row[]): string {
  const withReplay = where(all, { experiment: 'new-contrast', slices: 5 });
  const body = [true, false].flatMap((replay) => {
    const rounds = replay ? withReplay : rows;
    return valuesOf(rounds, 'domain').flatMap((domain) =>
      valuesOf(rounds, 'arm').flatMap((arm) => {
        const of = where(rounds, { domain, arm });
        if (of.length === 0) return [];
        const cells = [
          spread(numbersOf(of, 'oldAfter')),
          gainCell(of, 'old'),
          `${of.filter(isPromoted).length} of ${of.length}`,
        ];
        return [[replay ? 'with' : 'without', domain ?? '', arm, ...cells]];
      }),
    );
  });
  const judged = distinct([...where(all, { experiment: 'new-contrast' }), ...rows]);
  const promoted = judged.filter(isPromoted);
  const verdicts = [true, false].map((replay) => {
    const passed = where(promoted, { replay });
    const losses = passed.map((row) => -gainOf(row, 'old'));
    const over = losses.filter((loss) => loss > allowedLoss).length;
    const shown = passed.filter((row) => Number(row['oldHigh']) < -allowedLoss).length;
    const claim = over === 0 ? 'it holds' : `it **does not hold** for ${over} (for ${shown} by the whole interval)`;
    return `${replay ? 'with' : 'without'} replay ${losses.length} of them, the largest loss ${Math.max(0, ...losses).toFixed(3)}: ${claim}`;
  });
  return `${table(['replay', 'shift', 'arm', 'after', 'change (95 %)', 'promoted'], body)}

Claim: what is promoted loses at most ${allowedLoss} on the old domain (mean of ${sizes.old.ofPromoted} subjects, certain to some ${certainty(promoted)}). Of ${judged.length} different candidates ${promoted.length} would serve by themselves (better); their change is ${promoted.length > 1 ? interval(bySeed(promoted, (row) => gainOf(row, 'old'))).text : 'not to be told'}. ${verdicts.join('; ')}. ${waitingSentence(judged.filter(isWaiting))} Refused ones changed by ${spread(judged.filter(isRefused).map((row) => gainOf(row, 'old')))}.`;
}

/** What passes as not worse serves when a person says so. */
function waitingSentence(rows: readonly Row[]): string {
  const over = rows.filter((row) => -gainOf(row, 'old') > allowedLoss).length;
  return `${rows.length} are not worse and wait for a person: ${over} of them lost more than that; the change is ${spread(rows.map((row) => gainOf(row, 'old')))}.`;
}

/** Half the width of the interval of a change on the old domain, the mean over rows. */
function certainty(rows: readonly Row[]): string {
  const widths = rows.map((row) => Number(row['oldHigh']) - Number(row['oldLow']));
  return (meanOf(widths.filter((width) => width >= 0)) / 2).toFixed(3);
}

/** Rows of different weights: what a round offers is what one of its ways of learning gave, often with a teacher or without. */
function distinct(rows: readonly Row[]): readonly Row[] {
  const named = rows.map((row) => {
    const { experiment, seed, domain, slices, replay, after, unseenAfter, oldAfter } = row;
    return [JSON.stringify([experiment, seed, domain, slices, replay, after, unseenAfter, oldAfter]), row] as const;
  });
  return [...new Map(named).values()];
}

function describeStream(rows: readonly Row[]): string {
  const body = valuesOf(rows, 'round').map((round) => {
    const of = where(rows, { round });
    const cells = ['before', 'after', 'unseenAfter', 'oldAfter'].map((key) => spread(numbersOf(of, key)));
    return [round ?? '', of.length, ...cells, of.filter(isPromoted).length];
  });
  const ends = valuesOf(rows, 'seed').flatMap((seed) => {
    const of = where(rows, { seed });
    const [first, last] = [of[0], of.at(-1)];
    return first && last ? [{ first, last }] : [];
  });
  const gain = (what: string) =>
    interval(ends.map(({ first, last }) => Number(last[`${what}After`]) - Number(first[`${what}Before`])));
  const [unseen, old] = [gain('unseen'), gain('old')];
  return `${table(['round', 'seeds', 'its subject before', 'after', 'unseen subjects', 'old domain', 'promoted'], body)}

From the first version to the last in service: unseen subjects of the new kind ${unseen.text}; old domain ${old.text}.

Claim: the version in service never falls more than ${allowedFall} below its best so far, and ends higher than it began. ${fallSentence(rows, 'unseen', 'On unseen subjects of the new kind')} ${fallSentence(rows, 'old', 'On the old domain')} Promotions after which the old domain is lower by the whole interval of the change: ${rows.filter((row) => isPromoted(row) && Number(row['oldHigh']) < 0).length} of ${rows.filter(isPromoted).length}.`;
}

/** Of two Dice in a record. */
const rounding = 1.5e-4;

function fallSentence(rows: readonly Row[], what: string, place: string): string {
  const streams = valuesOf(rows, 'seed').map((seed) => {
    const of = where(rows, { seed });
    const dice = [Number(of[0]?.[`${what}Before`]), ...numbersOf(of, `${what}After`)];
    const falls = dice.map((value, at) => Math.max(...dice.slice(0, at + 1)) - value);
    return { fall: Math.max(...falls), isHigher: (dice.at(-1) ?? 0) - (dice[0] ?? 0) > rounding };
  });
  const fall = Math.max(...streams.map((stream) => stream.fall));
  const higher = streams.filter(({ isHigher }) => isHigher).length;
  return `${place} the largest fall is ${fall.toFixed(3)}, in ${streams.filter((stream) => stream.fall > allowedFall).length} of ${streams.length} streams more than that; ${higher} end higher.`;
}

const boundOf = (events: number, trials: number) =>
  `So few of so many are in keeping with any true rate up to ${(100 * rateAtMost(events, trials)).toFixed(0)} % (95 %).`;
const isOfSameRound = (a: Row, b: Row) => ['seed', 'domain', 'slices'].every((key) => a[key] === b[key]);
const isPromoted = (row: Row) => row['verdict'] === 'promoted';
const isWaiting = (row: Row) => row['verdict'] === 'waiting';
const isRefused = (row: Row) => !isPromoted(row) && !isWaiting(row);
const isCalledBetter = (row: Row) => row['word'] === 'better';
const isPassed = (text: unknown) => String(text).startsWith('no rule broken');
const nameOf = (row: Row) => `${row['arm']}, seed ${row['seed']} (${row['chosen']})`;
const ratio = (some: number, all: number) => (all === 0 ? '' : `${some} of ${all}`);

function where(rows: readonly Row[], wanted: Row): readonly Row[] {
  return rows.filter((row) => Object.entries(wanted).every(([key, value]) => row[key] === value));
}

/** Each value of a key once, in the order of the rows. */
function valuesOf(rows: readonly Row[], key: string): readonly (string | number)[] {
  const values = rows.map((row) => row[key]);
  return [...new Set(values)].filter((value) => typeof value === 'string' || typeof value === 'number');
}

/** After less before; `what` is '' for the subject itself, `unseen` or `old`. */
function gainOf(row: Row, what: string): number {
  const [before, after] = what === '' ? ['before', 'after'] : [`${what}Before`, `${what}After`];
  return Number(row[after] ?? Number.NaN) - Number(row[before] ?? Number.NaN);
}

function bySeed(rows: readonly Row[], figure: (row: Row) => number): readonly number[] {
  return valuesOf(rows, 'seed').map((seed) => meanOf(where(rows, { seed }).map(figure)));
}

function countsOf(texts: readonly string[]): string {
  return [...new Set(texts)].map((text) => `${text}: ${texts.filter((one) => one === text).length}`).join('; ');
}

function spread(values: readonly number[]): string {
  return values.length === 0 ? '' : `${meanOf(values).toFixed(3)} (${sdOf(values).toFixed(3)})`;
}

const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(3)}`;

function gainCell(rows: readonly Row[], what: string): string {
  return interval(rows.map((row) => gainOf(row, what))).text;
}

/** Mean with its 95 % interval; of a single value no interval is known. */
function interval(values: readonly number[]): { readonly text: string; readonly low: number } {
  if (values.length < 2) return { text: signed(meanOf(values)), low: Number.NaN };
  const { low, high } = interval95(values);
  return { text: `${signed(meanOf(values))} (${signed(low)} to ${signed(high)})`, low };
}
