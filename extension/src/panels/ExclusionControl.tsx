import { useState } from 'react';
import { leastReason } from '../service/decisions.ts';
import type { Exclusion } from '../service/exclusion.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { ProblemBox, ReasonField } from './parts.tsx';

/** Leaves the series on display out of learning, with a reason, or lets it be learnt from again. */
export function ExclusionControl({ service, exclusion }: { service: UncolService; exclusion: Exclusion }) {
  const [reason, setReason] = useState('');
  const isBusy = exclusion.phase === 'asking';
  if (exclusion.phase === 'excluded') {
    return (
      <div className="uncol-box uncol-box-neutral" data-testid="excluded">
        <p>No round learns from this series: {exclusion.reason}</p>
        <button type="button" className="uncol-button" onClick={() => service.exclusions.include()}>
          Let it be learnt from again
        </button>
      </div>
    );
  }
  return (
    <details data-testid="exclusion">
      <summary>Leave this series out of learning</summary>
      <div className="uncol-stack">
        <p className="uncol-muted">For images that would teach the model wrongly, corrected or not.</p>
        <ReasonField value={reason} onChange={setReason} />
        <button
          type="button"
          className="uncol-button"
          disabled={isBusy || reason.trim().length < leastReason}
          onClick={() => service.exclusions.exclude(reason.trim())}
        >
          Leave it out
        </button>
        {exclusion.phase === 'failed' && <ProblemBox problem={exclusion.problem} />}
      </div>
    </details>
  );
}
