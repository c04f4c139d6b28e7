import { useEffect, useState } from 'react';
import type { Model, Quality, Round, Verdict } from '../api/contract.ts';
import {
  describeArm,
  describeDrift,
  describeLineage,
  describeRound,
  describeTrigger,
} from '../service/history-words.ts';
import type { History, Loadable } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { countOf, formatDice } from '../service/words.ts';
import { ProblemBox } from './parts.tsx';

interface Props {
  readonly service: UncolService;
  readonly history: Loadable<History> | null;
}

/** What became of earlier versions: how readers agreed with each, where it comes from, every round with its evidence. */
export function HistoryPart({ service, history }: Props) {
  return (
    <details
      data-testid="history"
      onToggle={(event) => {
        if (event.currentTarget.open) void service.loadHistory();
      }}
    >
      <summary>History</summary>
      {history === null && <p className="uncol-muted">Asking for earlier rounds …</p>}
      {history?.status === 'failed' && <ProblemBox problem={history.problem} />}
      {history?.status === 'ready' && <Past service={service} history={history.value} />}
    </details>
  );
}

function Past({ service, history }: { service: UncolService; history: History }) {
  const { rounds, quality, versions } = history;
  const ended = rounds.filter(({ verdict }) => verdict !== null);
  return (
    <div className="uncol-stack">
      {quality.versions.length > 0 && <QualityTable quality={quality} />}
      <Versions versions={versions} />
      {ended.length === 0 && <p className="uncol-muted">There has been no learning round yet.</p>}
      {ended.map((round) => (
        <RoundEntry key={round.id} service={service} round={round} />
      ))}
    </div>
  );
}

function Versions({ versions }: { versions: readonly Model[] }) {
  return (
    <ul className="uncol-plain" data-testid="versions">
      {versions.map((version) => (
        <li key={version.version}>
          <strong>
            Version {version.version}
            {version.inService ? ' (in service)' : ''}
          </strong>
          : <span className="uncol-muted">{describeLineage(version)}</span>
        </li>
      ))}
    </ul>
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

function RoundEntry({ service, round }: { service: UncolService; round: Round }) {
  const { verdict } = round;
  const [isOpen, setOpen] = useState(false);
  if (verdict === null) return null;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{describeRound(round, verdict)}</summary>
      {isOpen && <Evidence service={service} round={round} verdict={verdict} />}
    </details>
  );
}

function Evidence({ service, round, verdict }: { service: UncolService; round: Round; verdict: Verdict }) {
  const candidate = useLoaded(() => service.loadCandidate(round.id));
  const cases = [...verdict.cases].sort((a, b) => gainOf(a) - gainOf(b));
  return (
    <>
      <p className="uncol-muted">{describeTrigger(round)}</p>
      <p>{verdict.reason}</p>
      {candidate?.evidence.arms.map((arm) => (
        <p key={arm.arm} className="uncol-muted">
          {describeArm(arm)}
        </p>
      ))}
      <Pictures service={service} round={round} cases={cases} />
      <CaseTable round={round} cases={cases} />
    </>
  );
}

/**
 * Something asked for once, by the first render; null before, and where it cannot be had: what stands beside it says
 * enough.
 */
function useLoaded<T>(load: () => Promise<T>): T | null {
  const [loading] = useState(load);
  const [value, setValue] = useState<T | null>(null);
  useEffect(() => {
    loading.then(setValue, () => undefined);
  }, [loading]);
  return value;
}

type Cases = Verdict['cases'];

function gainOf({ inService, candidate }: Cases[number]): number {
  return candidate.dice - inService.dice;
}

function CaseTable({ round, cases }: { round: Round; cases: Cases }) {
  return (
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
  );
}

/** The cases that lost most, as slices; none of a patient. */
function Pictures({ service, round, cases }: { service: UncolService; round: Round; cases: Cases }) {
  const shown = cases.filter(({ picture }) => picture !== undefined);
  if (shown.length === 0) return null;
  return (
    <div className="uncol-stack">
      <div className="uncol-row">
        {shown.map(({ subject }) => (
          <Picture key={subject} service={service} roundId={round.id} subject={subject} />
        ))}
      </div>
      <p className="uncol-muted">Truth solid, version {round.fromVersion} dotted, candidate dashed.</p>
    </div>
  );
}

function Picture({ service, roundId, subject }: { service: UncolService; roundId: string; subject: string }) {
  const blob = useLoaded(() => service.loadPicture(roundId, subject));
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (blob === null) return;
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  if (url === null) return null;
  return <img className="uncol-picture" src={url} alt={`${subject}: outlines of truth and both versions`} />;
}
