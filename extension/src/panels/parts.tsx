import { type ReactNode, useId } from 'react';
import type { UserProblem } from '../api/problem.ts';
import type { Run } from '../service/run.ts';

/** A part of the panel under its own heading. */
export function Section({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    <section className="uncol-section" aria-labelledby={id}>
      <div className="uncol-heading">
        <h3 id={id}>{title}</h3>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** What happened and what to do. */
export function ProblemBox({ problem, children }: { problem: UserProblem; children?: ReactNode }) {
  return (
    <div className="uncol-box uncol-box-problem" role="alert" data-code={problem.code}>
      <strong>{problem.title}</strong>
      <p>{problem.detail}</p>
      <p>
        <span className="uncol-label">What to do:</span> {problem.hint}
      </p>
      {children}
    </div>
  );
}

/** Why a run has brought no mask. */
export function RunEnd({ run }: { run: Run }) {
  if (run.phase === 'failed') return <ProblemBox problem={run.problem} />;
  if (run.phase !== 'cancelled') return null;
  return (
    <p className="uncol-muted" role="status">
      Cancelled. Nothing was changed.
    </p>
  );
}

/** Why somebody decides something; kept on record. */
export function ReasonField({ value, onChange }: { value: string; onChange: (reason: string) => void }) {
  const id = useId();
  return (
    <div className="uncol-field">
      <label htmlFor={id}>Reason, kept on record (no patient data)</label>
      <input id={id} type="text" maxLength={200} value={value} onChange={(event) => onChange(event.target.value)} />
    </div>
  );
}

/** A bar with its percentage in words for those who do not see it. */
export function Progress({ label, percent }: { label: string; percent: number }) {
  const rounded = Math.round(percent);
  return (
    <div className="uncol-progress">
      <div className="uncol-spread">
        <span aria-live="polite">{label}</span>
        <span>{rounded} %</span>
      </div>
      <progress max={100} value={rounded} aria-label={label} />
    </div>
  );
}

/** A list of name and value. */
export function Figures({ rows }: { rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="uncol-figures">
      {rows.map(([name, value]) => (
        <div key={name} className="uncol-spread">
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
