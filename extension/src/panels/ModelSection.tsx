import { useId } from 'react';
import type { Model } from '../api/contract.ts';
import { isBusy, type Run } from '../service/run.ts';
import { chosenModel, type SeriesState } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { describeSegments, describeStage, formatTimeLeft, nameModel } from '../service/words.ts';
import { ProblemBox, Progress, RunEnd, Section } from './parts.tsx';
import { VolumeChoice } from './VolumeChoice.tsx';

/** Which model serves this series, and the Segment button. */
export function ModelSection({ service, state }: { service: UncolService; state: SeriesState }) {
  const model = chosenModel(state);
  if (state.models.status === 'loading') {
    return (
      <Section title="Model">
        <p className="uncol-muted">Asking which models fit this series …</p>
      </Section>
    );
  }
  if (state.models.status === 'failed') {
    return (
      <Section title="Model">
        <ProblemBox problem={state.models.problem}>
          <button type="button" className="uncol-button" onClick={() => service.retryModels()}>
            Try again
          </button>
        </ProblemBox>
      </Section>
    );
  }
  if (model === null) {
    return (
      <Section title="Model">
        <p>No model in service fits this {state.series.modality} series. Select another series.</p>
      </Section>
    );
  }
  return (
    <Section title="Model" aside={<VersionBadge model={model} />}>
      <ModelChoice service={service} state={state} models={state.models.value} model={model} />
      <TrainedFor model={model} isFolded={state.mask !== null} />
      {state.series.volume !== null && (
        <p data-testid="volume">
          <span className="uncol-label">Volume:</span> {state.series.volume}
        </p>
      )}
      {state.volumes.length > 0 && !isBusy(state.run) ? (
        <VolumeChoice service={service} state={state} />
      ) : (
        <SegmentControl
          service={service}
          run={state.run}
          label={segmentLabel(state, model)}
          isRepeat={state.mask !== null}
        />
      )}
    </Section>
  );
}

function VersionBadge({ model }: { model: Model }) {
  return (
    <span className="uncol-badge" data-testid="version-in-service">
      version {model.version} in service
    </span>
  );
}

function TrainedFor({ model, isFolded }: { model: Model; isFolded: boolean }) {
  if (!isFolded) return <p className="uncol-muted">{model.trainedFor}</p>;
  return (
    <details className="uncol-muted">
      <summary>What it was trained for</summary>
      <p>{model.trainedFor}</p>
    </details>
  );
}

function ModelChoice(props: { service: UncolService; state: SeriesState; models: readonly Model[]; model: Model }) {
  const id = useId();
  const draws = describeSegments(props.model);
  if (props.models.length < 2) {
    return (
      <div>
        <p className="uncol-strong">{props.model.title}</p>
        <p>{draws}</p>
      </div>
    );
  }
  return (
    <div className="uncol-field">
      <label htmlFor={id}>Models that fit this series</label>
      <select
        id={id}
        value={props.model.name}
        disabled={isBusy(props.state.run)}
        aria-describedby={`${id}-draws`}
        onChange={(event) => props.service.chooseModel(event.target.value)}
      >
        {props.models.map((model) => (
          <option key={model.name} value={model.name}>
            {nameModel(model, props.models)}
          </option>
        ))}
      </select>
      <p id={`${id}-draws`}>{draws}</p>
    </div>
  );
}

/** Says which version the next mask is by, where that is another than the one on display. */
function segmentLabel({ mask }: SeriesState, model: Model): string {
  if (mask === null) return 'Segment';
  const shown = mask.inference.model;
  const isSame = shown.name === model.name && shown.version === model.version;
  return isSame ? 'Segment again' : `Segment again by version ${model.version}`;
}

function SegmentControl(props: { service: UncolService; run: Run; label: string; isRepeat: boolean }) {
  const { service, run, label, isRepeat } = props;
  if (isBusy(run)) {
    const isCancelling = run.phase === 'running' && run.isCancelling;
    return (
      <div className="uncol-stack" data-testid="segment-progress">
        <RunProgress run={run} />
        <button
          type="button"
          className="uncol-button"
          disabled={isCancelling || run.phase === 'drawing'}
          onClick={() => service.cancel()}
        >
          {isCancelling ? 'Cancelling …' : 'Cancel'}
        </button>
      </div>
    );
  }
  return (
    <div className="uncol-stack">
      <button
        type="button"
        className={isRepeat ? 'uncol-button' : 'uncol-button uncol-button-primary uncol-button-large'}
        aria-keyshortcuts="Shift+S"
        onClick={() => service.segment()}
      >
        {label} <kbd>Shift+S</kbd>
      </button>
      <RunEnd run={run} />
    </div>
  );
}

function RunProgress({ run }: { run: Run }) {
  if (run.phase !== 'running') {
    return (
      <Progress
        label={run.phase === 'drawing' ? 'Drawing the mask' : 'Starting'}
        percent={run.phase === 'drawing' ? 100 : 0}
      />
    );
  }
  const { job } = run;
  const stage = job.state === 'queued' ? describeStage('queued') : describeStage(job.stage);
  const label = job.secondsLeft === null ? stage : `${stage}, ${formatTimeLeft(job.secondsLeft)}`;
  return <Progress label={label} percent={job.percent} />;
}
