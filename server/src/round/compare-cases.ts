import type { Card } from '../registry/card.ts';
import { type ComparedCase, refuses } from './compare.ts';
import type { RoundData, RoundSources } from './gather.ts';
import { type Measure, scoresOf } from './measure.ts';
import { WorstCases } from './worst-cases.ts';

/**
 * Both versions on the subjects of the gate, with pictures of the worst. Of the base set those beyond the first look are
 * asked only where those before do not refuse the candidate already; one that is the version in service itself needs no
 * more either.
 *
 * @param onCase hears of the share that is done.
 */
export async function compareCases(
  measure: Pick<Measure, 'serve'>,
  judges: RoundData['judges'],
  { gate, segments }: Pick<Card, 'gate' | 'segments'>,
  { inService, candidate }: Readonly<Record<'inService' | 'candidate', Float32Array>>,
  blobs: Pick<RoundSources['blobs'], 'put'>,
  onCase: (share: number) => void,
): Promise<readonly ComparedCase[]> {
  const cases: ComparedCase[] = [];
  const worst = new WorstCases();
  const labels = segments.map(({ label }) => label);
  let isRefused = false;
  for (const [at, { judged: make, ...of }] of judges.entries()) {
    if (of.set === 'base' && at === gate.firstLook) isRefused = candidate === inService || refuses(cases, gate, labels);
    if (of.set === 'base' && isRefused) continue;
    const judged = make();
    const before = await measure.serve(inService, judged);
    // No step was better than the start: then there is nothing else to measure.
    const after = candidate === inService ? before : await measure.serve(candidate, judged);
    const compared = { ...of, inService: scoresOf(before, judged), candidate: scoresOf(after, judged) };
    cases.push(compared);
    onCase((at + 1) / judges.length);
    worst.see({ compared, judged, inService: before.labels, candidate: after.labels });
  }
  const pictures = await worst.draw(blobs);
  return cases.map((compared) => ({ ...compared, ...pictures.get(compared) }));
}
