import { useState } from 'react';
import type { UserProblem } from '../api/problem.ts';
import { type Decision, leastReason, nameDecision, needsReason } from '../service/decisions.ts';
import { ProblemBox, ReasonField } from './parts.tsx';

interface Props {
  readonly decisions: readonly Decision[];
  /** @returns what went wrong, or null. */
  readonly onDecide: (decision: Decision, reason: string) => Promise<UserProblem | null>;
}

/** What an administrator may decide; folded away from those who only read. */
export function DecisionControl({ decisions, onDecide }: Props) {
  const [reason, setReason] = useState('');
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<UserProblem | null>(null);
  const hasReason = reason.trim().length >= leastReason;
  const decide = async (decision: Decision) => {
    setSending(true);
    const failure = await onDecide(decision, reason.trim());
    setSending(false);
    setProblem(failure);
    if (failure === null) setReason('');
  };
  return (
    <details data-testid="decisions">
      <summary>For administrators</summary>
      <div className="uncol-stack">
        <ReasonField value={reason} onChange={setReason} />
        {decisions.map((decision) => (
          <button
            key={decision.kind}
            type="button"
            className="uncol-button"
            data-decision={decision.kind}
            disabled={isSending || (needsReason(decision) && !hasReason)}
            onClick={() => decide(decision)}
          >
            {nameDecision(decision)}
          </button>
        ))}
        {problem !== null && <ProblemBox problem={problem} />}
      </div>
    </details>
  );
}
