import type { Job, Pool, Round } from '../api/contract.ts';
import { openDecisions } from '../service/decisions.ts';
import type { Exclusion } from '../service/exclusion.ts';
import { isShare, nameFigure } from '../service/history-words.ts';
import { isRoundActive, type LearningState } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import {
  countOf,
  describeLearning,
  describePool,
  describeStage,
  describeVerdict,
  describeWait,
  formatCount,
  formatTimeLeft,
} from '../service/words.ts';
import { DecisionControl } from './DecisionControl.tsx';
import { ExclusionControl } from './ExclusionControl.tsx';
import { HistoryPart } from './HistoryPart.tsx';
import { Figures, ProblemBox, Progress, Section } from './parts.tsx';

interface Props {
  readonly service: UncolService;
  readonly learning: LearningState;
  /** Of the series on display. */
  readonly exclusion: Exclusion;
}

/** What the model learns from corrections: the count-down, the running round, the last verdict. */
export function LearningSection({ service, learning, exclusion }: Props) {
  const { pool, round, job, problem } = learning;
  if (pool === null && problem === null) return null;
  return (
    <Section title="Learning">
      {problem !== null && <ProblemBox problem={problem} />}
      {pool !== null && !isRoundActive(round) && <Countdown pool={pool} />}
      {round !== null && isRoundActive(round) && <RunningRound round={round} job={job} />}
      {round !== null && !isRoundActive(round) && <EndedRound round={round} inService={pool?.inService ?? null} />}
      {pool !== null && pool.pin !== null && (
        <p>
          Version {pool.inService} is kept whatever comes: {pool.pin.reason}
        </p>
      )}
      <ExclusionControl service={service} exclusion={exclusion} />
      <HistoryPart service={service} history={learning.history} />
      {pool !== null && (
        <DecisionControl
          decisions={openDecisions(pool, round)}
          onDecide={(decision, reason) => service.decide(decision, reason)}
        />
      )}
    </Section>
  );
}

function Countdown({ pool }: { pool: Pool }) {
  return <p data-testid="until-round">{describePool(pool, new Date())}</p>;
}

function RunningRound({ round, job }: { round: Round; job: Job | null }) {
  const stage = job === null || job.state === 'queued' ? describeStage('queued') : describeStage(job.stage);
  const left = job?.secondsLeft === null || job === null ? '' : `, ${formatTimeLeft(job.secondsLeft)}`;
  return (
    <div className="uncol-stack" data-testid="round-running">
      <p>A learning round is running. You can go on working with version {round.fromVersion}.</p>
      <Progress label={`${stage}${left}`} percent={job?.percent ?? 0} />
      {job !== null && <RoundFigures job={job} />}
      {job?.state === 'queued' && job.error !== null && (
        <p className="uncol-box uncol-box-problem" role="status" data-testid="round-waits">
          {describeWait(job.error)}
        </p>
      )}
      <Sources round={round} />
    </div>
  );
}

function RoundFigures({ job }: { job: Job }) {
  const { step, steps, loss, ...others } = job.figures;
  const first: [string, string][] = [];
  if (step !== undefined) first.push(['Step', steps === undefined ? formatCount(step) : `${step} of ${steps}`]);
  if (loss !== undefined) first.push(['Loss', loss.toFixed(3)]);
  const rest = Object.entries(others).flatMap(([key, value]): [string, string][] => {
    const name = nameFigure(key);
    return name === null ? [] : [[name, isShare(key) ? `${Math.round(value * 100)} % of pixels` : value.toFixed(3)]];
  });
  return (
    <>
      {first.length > 0 && <Figures rows={first} />}
      {rest.length > 0 && (
        <details>
          <summary>Loss terms, and how far the teachers are trusted</summary>
          <Figures rows={rest} />
        </details>
      )}
    </>
  );
}

function Sources({ round }: { round: Round }) {
  const isPlanned = round.labelledSlices > 0;
  return (
    <p className="uncol-muted">
      {isPlanned &&
        `Learns from ${countOf(round.labelledSlices, 'checked slice')}, ${formatCount(round.replaySlices)} of its first training and ${formatCount(round.unlabelledSlices)} unchecked ones. `}
      {round.generalizedTeacher}
    </p>
  );
}

function EndedRound({ round, inService }: { round: Round; inService: number | null }) {
  if (round.state === 'failed' || round.verdict === null) {
    return (
      <ProblemBox
        problem={{
          code: round.error?.code ?? 'internal',
          title: 'The last learning round failed',
          detail: `${round.error?.message ?? 'The server gave no reason.'} Version ${round.fromVersion} stays in service.`,
          hint: round.error?.hint ?? 'The next correction starts another round.',
        }}
      />
    );
  }
  const learning = describeLearning(round, round.verdict);
  return (
    <div
      className={`uncol-box ${round.verdict.outcome === 'promoted' ? 'uncol-box-good' : 'uncol-box-neutral'}`}
      role="status"
      data-testid="verdict"
      data-outcome={round.verdict.outcome}
    >
      <strong>{describeVerdict(round, round.verdict, inService)}</strong>
      <p>{round.verdict.reason}</p>
      {learning !== null && <p>{learning}</p>}
      <Sources round={round} />
    </div>
  );
}
