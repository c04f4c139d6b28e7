import { useId, useState } from 'react';
import { wasAskedForVolume } from '../service/run.ts';
import type { SeriesState } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { RunEnd } from './parts.tsx';

/** Which volume of a series that holds several is to be segmented. */
export function VolumeChoice({ service, state }: { service: UncolService; state: SeriesState }) {
  const { volumes, run } = state;
  const id = useId();
  const [chosen, setChosen] = useState('');
  // Another answer of the server may list others.
  const volume = volumes.includes(chosen) ? chosen : (volumes[0] ?? '');
  return (
    <div className="uncol-box uncol-box-neutral uncol-stack" data-testid="volume-choice">
      <p role="status">
        This series holds {volumes.length} volumes. A mask belongs to one of them: choose it. The viewer then shows it
        alone, as an entry of its own in the list of series.
      </p>
      <div className="uncol-field">
        <label htmlFor={id}>Volumes of this series</label>
        <select id={id} value={volume} onChange={(event) => setChosen(event.target.value)}>
          {volumes.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </div>
      <button
        type="button"
        className="uncol-button uncol-button-primary uncol-button-large"
        onClick={() => service.segment(volume)}
      >
        Segment this volume
      </button>
      {!wasAskedForVolume(run) && <RunEnd run={run} />}
    </div>
  );
}
