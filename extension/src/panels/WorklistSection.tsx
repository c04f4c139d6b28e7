import { useId } from 'react';
import type { CaseOrder, CaseState, Worklist, WorklistItem } from '../api/contract.ts';
import type { WorklistState } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { countOf, formatCount } from '../service/words.ts';
import { caseStates, describeCase, nameOrder, orders } from '../service/worklist-words.ts';
import { ProblemBox, Section } from './parts.tsx';

interface Props {
  readonly service: UncolService;
  readonly worklist: WorklistState;
  /** Study on display, marked in the list. */
  readonly studyInstanceUid: string | null;
  /** The open case is handed in: the next one is what to do now. */
  readonly isDone: boolean;
}

/** The next case, in which order, and the list behind it. */
export function WorklistSection({ service, worklist, studyInstanceUid, isDone }: Props) {
  const { list, isShown } = worklist;
  const reader = service.worklist;
  return (
    <Section title="Worklist">
      <button
        type="button"
        className={isDone ? 'uncol-button uncol-button-primary' : 'uncol-button'}
        disabled={worklist.isOpening}
        onClick={() => reader.openNext()}
      >
        {worklist.isOpening ? 'Looking for the next case …' : 'Next case'} <kbd>Shift+N</kbd>
      </button>
      {worklist.notice !== null && <p role="status">{worklist.notice}</p>}
      {worklist.problem !== null && <ProblemBox problem={worklist.problem} />}
      <details
        data-testid="worklist"
        open={isShown}
        onToggle={(event) => {
          if (event.currentTarget.open !== isShown) void reader.choose({ isShown: event.currentTarget.open });
        }}
      >
        <summary>List, order and filters</summary>
        <div className="uncol-stack">
          <Choices service={service} worklist={worklist} />
          {list?.status === 'failed' && <ProblemBox problem={list.problem} />}
          {list?.status === 'ready' && (
            <Cases service={service} list={list.value} studyInstanceUid={studyInstanceUid} />
          )}
        </div>
      </details>
    </Section>
  );
}

function Choices({ service, worklist }: { service: UncolService; worklist: WorklistState }) {
  const { list, order, state, modality, bodyPart } = worklist;
  const known = list?.status === 'ready' ? list.value : null;
  const reader = service.worklist;
  const states = caseStates.map(
    (name) => [name, known ? `${name} (${formatCount(known.counts[name])})` : name] as const,
  );
  const plain = (values: readonly string[]) => values.map((value) => [value, value] as const);
  return (
    <div className="uncol-grid">
      <Select
        label="Order"
        value={order}
        options={orders.map((name) => [name, nameOrder(name)] as const)}
        onChange={(value) => reader.choose({ order: value as CaseOrder })}
      />
      <Select
        label="State"
        value={state}
        options={states}
        onChange={(value) => reader.choose({ state: value as CaseState | null })}
        all="all"
      />
      <Select
        label="Modality"
        value={modality}
        options={plain(known?.modalities ?? [])}
        onChange={(value) => reader.choose({ modality: value })}
        all="all"
      />
      <Select
        label="Body part"
        value={bodyPart}
        options={plain(known?.bodyParts ?? [])}
        onChange={(value) => reader.choose({ bodyPart: value })}
        all="all"
      />
    </div>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string | null;
  readonly options: readonly (readonly [string, string])[];
  readonly onChange: (value: string | null) => void;
  /** Word for no choice. */
  readonly all?: string;
}

function Select({ label, value, options, onChange, all }: SelectProps) {
  const id = useId();
  return (
    <div className="uncol-field">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value ?? ''} onChange={(event) => onChange(event.target.value || null)}>
        {all !== undefined && <option value="">{all}</option>}
        {options.map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

interface CasesProps {
  readonly service: UncolService;
  readonly list: Worklist;
  readonly studyInstanceUid: string | null;
}

function Cases({ service, list, studyInstanceUid }: CasesProps) {
  if (list.items.length === 0) return <p className="uncol-muted">No study of the PACS passes these filters.</p>;
  return (
    <>
      <ol className="uncol-cases">
        {list.items.map((item) => (
          <Case
            key={item.studyInstanceUid}
            service={service}
            item={item}
            isHere={item.studyInstanceUid === studyInstanceUid}
          />
        ))}
      </ol>
      {list.total > list.items.length && (
        <p className="uncol-muted">and {countOf(list.total - list.items.length, 'more study', 'more studies')}</p>
      )}
    </>
  );
}

function Case({ service, item, isHere }: { service: UncolService; item: WorklistItem; isHere: boolean }) {
  const { title, details } = describeCase(item);
  return (
    <li>
      <button
        type="button"
        className="uncol-case"
        aria-current={isHere}
        disabled={isHere}
        onClick={() => service.worklist.open(item)}
      >
        <span className="uncol-strong">{title}</span>
        <span className="uncol-muted">{details}</span>
      </button>
    </li>
  );
}
