import { useState } from 'react';
import type { OpenImport, Receipt } from '../api/contract.ts';
import type { UserProblem } from '../api/problem.ts';
import { describeImported, describeMask, describeStructure } from '../service/import-words.ts';
import { type Choosing, type ForeignMask, type Importing, isAnswered, type Saying } from '../service/importer.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { countOf, describeTeaching } from '../service/words.ts';
import { ProblemBox, Section } from './parts.tsx';

const nothingSaid: Saying = { structures: [], absent: [], resample: false, everySlice: false, acceptAutomatic: false };

/** Hands in a mask that was made elsewhere and lies in the PACS, and asks what its structures are. */
export function ImportSection({ service, importing }: { service: UncolService; importing: Importing }) {
  return (
    <Section title="Mask made elsewhere">
      {importing.phase === 'received' ? (
        <ImportedBox service={service} receipt={importing.receipt} problem={importing.problem} />
      ) : (
        <p className="uncol-muted">A SEG or RTSTRUCT of this study can be handed in as a correction.</p>
      )}
      {importing.phase === 'choosing' ? (
        <MaskForm service={service} importing={importing} />
      ) : (
        <button
          type="button"
          className="uncol-button"
          disabled={importing.phase === 'looking'}
          onClick={() => service.imports.look()}
        >
          {importing.phase === 'looking' ? 'Looking …' : 'Show the masks of this study'}
        </button>
      )}
      {importing.phase === 'failed' && <ProblemBox problem={importing.problem} />}
    </Section>
  );
}

function MaskForm({ service, importing }: { service: UncolService; importing: Choosing }) {
  const [chosen, setChosen] = useState<ForeignMask | null>(null);
  const [saying, setSaying] = useState(nothingSaid);
  const { masks, open, problem, isSending } = importing;
  if (masks.length === 0) return <p>The PACS holds no SEG and no RTSTRUCT of this study.</p>;
  const choose = (mask: ForeignMask) => {
    setChosen(mask);
    setSaying(nothingSaid);
  };
  return (
    <fieldset className="uncol-stack" disabled={isSending} data-testid="import">
      <legend>Which one</legend>
      {masks.map((mask) => (
        <label key={mask.sopInstanceUid}>
          <input type="radio" name="uncol-import" checked={mask === chosen} onChange={() => choose(mask)} />{' '}
          {describeMask(mask, masks)}
        </label>
      ))}
      {open !== null && <Questions open={open} saying={saying} onSay={setSaying} />}
      {problem !== null && <ProblemBox problem={problem} />}
      {chosen !== null && <Agreements saying={saying} problem={problem} onSay={setSaying} />}
      <button
        type="button"
        className="uncol-button uncol-button-primary"
        disabled={chosen === null || !isAnswered(open, saying)}
        onClick={() => chosen && service.imports.send(chosen, saying)}
      >
        {isSending ? 'Handing in …' : 'Hand it in as a correction'}
      </button>
    </fieldset>
  );
}

interface SayingProps {
  readonly saying: Saying;
  readonly onSay: (saying: Saying) => void;
}

/** What the server cannot know: which segment of the model each structure is, and which the image does not show. */
function Questions({ open, saying, onSay }: SayingProps & { readonly open: OpenImport }) {
  const name = (from: string, choice: string) => {
    const to = choice === out ? null : (open.segments[Number(choice)] ?? null);
    const others = saying.structures.filter((one) => one.from !== from);
    const structures = choice === '' ? others : [...others, { from, to }];
    onSay({ ...saying, structures, absent: saying.absent.filter((label) => label !== to) });
  };
  const choiceOf = (from: string): string => {
    const said = saying.structures.find((one) => one.from === from);
    return said === undefined ? '' : said.to === null ? out : String(open.segments.indexOf(said.to));
  };
  const named = new Set(saying.structures.map(({ to }) => to));
  const missing = open.missing.filter((label) => !named.has(label));
  return (
    <div className="uncol-box uncol-box-neutral" role="status" data-testid="import-questions">
      <strong>Nothing was handed in yet: say first what is what.</strong>
      {open.structures.map((structure) => (
        <div className="uncol-field" key={structure.number}>
          <label htmlFor={`uncol-structure-${structure.number}`}>{describeStructure(structure)} is</label>
          <select
            id={`uncol-structure-${structure.number}`}
            value={choiceOf(String(structure.number))}
            onChange={({ target }) => name(String(structure.number), target.value)}
          >
            <option value="">choose …</option>
            {open.segments.map((label, index) => (
              <option key={label} value={index}>
                {label}
              </option>
            ))}
            <option value={out}>none of these: leave it out</option>
          </select>
        </div>
      ))}
      {missing.map((label) => (
        <Tick
          key={label}
          isSet={saying.absent.includes(label)}
          onSet={(isSet) => {
            const others = saying.absent.filter((one) => one !== label);
            onSay({ ...saying, absent: isSet ? [...others, label] : others });
          }}
        >
          No structure stands for {label}: the image does not show it.
        </Tick>
      ))}
    </div>
  );
}

/** The choice to leave a structure out; the others are places in the list of segments. */
const out = 'out';

/** What the reader agrees to or vouches for; the second and third only where the server asked. */
function Agreements({ saying, problem, onSay }: SayingProps & { readonly problem: UserProblem | null }) {
  return (
    <>
      <Tick isSet={saying.everySlice} onSet={(everySlice) => onSay({ ...saying, everySlice })}>
        I checked every slice: those that it says nothing of show none of its structures.
      </Tick>
      {(saying.resample || problem?.code === 'import-grid-differs') && (
        <Tick isSet={saying.resample} onSet={(resample) => onSay({ ...saying, resample })}>
          Carry it over by the nearest voxel, and leave out what lies outside the image.
        </Tick>
      )}
      {(saying.acceptAutomatic || problem?.code === 'import-automatic') && (
        <Tick isSet={saying.acceptAutomatic} onSet={(acceptAutomatic) => onSay({ ...saying, acceptAutomatic })}>
          I looked at what the algorithm drew, and it is right.
        </Tick>
      )}
    </>
  );
}

interface TickProps {
  readonly isSet: boolean;
  readonly onSet: (isSet: boolean) => void;
  readonly children: React.ReactNode;
}

function Tick({ isSet, onSet, children }: TickProps) {
  return (
    <label>
      <input type="checkbox" checked={isSet} onChange={({ target }) => onSet(target.checked)} /> {children}
    </label>
  );
}

interface ImportedProps {
  readonly service: UncolService;
  readonly receipt: Receipt;
  readonly problem: UserProblem | null;
}

function ImportedBox({ service, receipt, problem }: ImportedProps) {
  return (
    <div className="uncol-box uncol-box-good" role="status" data-testid="imported">
      <strong>{receipt.withdrawn === null ? 'Handed in as a correction' : 'Taken back'}</strong>
      {describeImported(receipt).map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      <p>
        {countOf(receipt.approvedSlices, 'slice')} you vouch for. {describeTeaching(receipt)}
      </p>
      {problem !== null && <ProblemBox problem={problem} />}
      {receipt.withdrawn === null && (
        <button type="button" className="uncol-button" onClick={() => service.imports.takeBack()}>
          Take back
        </button>
      )}
    </div>
  );
}
