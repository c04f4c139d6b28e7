import type { Quality, Round } from '../api/contract.ts';
import { countOf, describeDrift, describeRound, formatDice } from '../service/words.ts';

/** What became of earlier versions: how readers agreed with each, and every round with its evidence. */
export function HistoryPart({ quality, rounds }: { quality: Quality | null; rounds: readonly Round[] }) {
  const ended = rounds.filter(({ verdict }) => verdict !== null);
  const versions = quality?.versions ?? [];
  if (ended.length === 0 && versions.length === 0) return null;
  return (
    <details data-testid="history">
      <summary>History</summary>
      <div className="uncol-stack">
        {quality !== null && versions.length > 0 && <QualityTable quality={quality} />}
        {ended.map((round) => (
          <RoundEntry key={round.id} round={round} />
        ))}
      </div>
    </details>
  );
}

function QualityTable({ quality: { versions, segments } }: { quality: Quality }) {
  const falling = versions.flatMap((version) => describeDrift(version) ?? []);
  return (
    <>
      <table className="uncol-table" data-testid="quality">
        <caption className="uncol-muted">How readers agreed with each version (Dice)</caption>
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">Corrections</th>
            {segments.map((segment) => (
              <th key={segment} scope="col">
                {segment}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {versions.map(({ version, corrections, segments: figures }) => (
            <tr key={version}>
              <th scope="row">{version}</th>
              <td>{corrections}</td>
              {segments.map((segment, n) => (
                <td key={segment}>{formatMean(figures[n]?.mean ?? null)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {falling.map((sentence) => (
        <p key={sentence} role="alert">
          {sentence}
        </p>
      ))}
    </>
  );
}

function formatMean(mean: number | null): string {
  return mean === null ? '–' : formatDice(mean);
}

function RoundEntry({ round }: { round: Round }) {
  const { verdict } = round;
  if (verdict === null) return null;
  const cases = [...verdict.cases].sort(
    (a, b) => a.candidate.dice - a.inService.dice - (b.candidate.dice - b.inService.dice),
  );
  return (
    <details>
      <summary>{describeRound(round, verdict)}</summary>
      <p>{verdict.reason}</p>
      <table className="uncol-table">
        <caption className="uncol-muted">
          {countOf(cases.length, 'subject')} that never train, the one that lost most first (Dice)
        </caption>
        <thead>
          <tr>
            <th scope="col">Subject</th>
            <th scope="col">Version {round.fromVersion}</th>
            <th scope="col">Candidate</th>
          </tr>
        </thead>
        <tbody>
          {cases.map(({ subject, inService, candidate }) => (
            <tr key={subject}>
              <th scope="row">{subject}</th>
              <td>{formatDice(inService.dice)}</td>
              <td>{formatDice(candidate.dice)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
