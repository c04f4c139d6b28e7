import { bands } from '../correction/doubt.ts';
import type { LayerState, MaskState } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { describeMissing, describeStrange, describeUncertainty, formatMl } from '../service/words.ts';
import { ProblemBox, Section } from './parts.tsx';

/** What the model drew: segments with their volumes, how sure it is, and the tools to correct it. */
export function MaskSection({ service, mask }: { service: UncolService; mask: MaskState }) {
  const { inference } = mask;
  const warnings = [describeStrange(inference), describeMissing(inference)].filter((text) => text !== null);
  return (
    <Section
      title="Mask"
      aside={
        <span className="uncol-badge" data-testid="mask-model">
          by {inference.model.name}@{inference.model.version}
        </span>
      }
    >
      <SegmentTable mask={mask} />
      {warnings.map((warning) => (
        <p key={warning} className="uncol-box uncol-box-problem" role="alert">
          {warning}
        </p>
      ))}
      {inference.uncertainty !== null && <Uncertainty value={inference.uncertainty} />}
      <UncertaintyControl service={service} layer={mask.layer} />
      {inference.notes.map((note) => (
        <p key={note} className="uncol-muted">
          {note}
        </p>
      ))}
      <EditTools service={service} />
    </Section>
  );
}

function SegmentTable({ mask }: { mask: MaskState }) {
  const { inference, difference } = mask;
  const isChanged = difference.changedVoxels > 0;
  return (
    <table className="uncol-table">
      <thead>
        <tr>
          <th scope="col">Segment</th>
          <th scope="col">{isChanged ? 'Model' : 'Volume'}</th>
          {isChanged && <th scope="col">Now</th>}
        </tr>
      </thead>
      <tbody>
        {inference.segments.map((segment) => (
          <tr key={segment.number}>
            <th scope="row">
              <span className="uncol-swatch" style={{ background: `rgb(${segment.colour.join(' ')})` }} />
              {segment.label}
            </th>
            <td>{segment.voxels === 0 ? 'none found' : formatMl(segment.ml)}</td>
            {isChanged && <td>{formatMl(difference.mlBySegment.get(segment.number) ?? 0)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Uncertainty({ value }: { value: number }) {
  const { word, advice } = describeUncertainty(value);
  return (
    <p>
      <span className="uncol-label">Uncertainty:</span> <strong>{word}</strong> ({value.toFixed(2)} of 1). {advice}
    </p>
  );
}

function UncertaintyControl({ service, layer }: { service: UncolService; layer: LayerState }) {
  const isBusy = layer.phase === 'loading';
  const isOn = layer.phase === 'on';
  return (
    <div className="uncol-stack">
      <div className="uncol-row">
        <button
          type="button"
          className="uncol-button"
          aria-pressed={isOn}
          disabled={isBusy}
          onClick={() => service.toggleUncertainty()}
        >
          {isOn ? 'Hide where it is unsure' : 'Show where it is unsure'} <kbd>U</kbd>
        </button>
        <button type="button" className="uncol-button" disabled={isBusy} onClick={() => service.goToLeastSure()}>
          Least sure slice <kbd>Shift+U</kbd>
        </button>
      </div>
      {isOn && (
        <p className="uncol-legend" data-testid="uncertainty-legend">
          {bands.map(({ label, colour }) => (
            <span key={label}>
              <span className="uncol-swatch" style={{ background: `rgb(${colour.join(' ')})` }} />
              {label}
            </span>
          ))}
          <span>no colour: sure</span>
        </p>
      )}
      {layer.phase === 'failed' && <ProblemBox problem={layer.problem} />}
    </div>
  );
}

function EditTools({ service }: { service: UncolService }) {
  return (
    <fieldset className="uncol-row" aria-label="Correct the mask">
      <button type="button" className="uncol-button" onClick={() => service.pickTool('CircularBrush')}>
        Brush
      </button>
      <button type="button" className="uncol-button" onClick={() => service.pickTool('CircularEraser')}>
        Eraser
      </button>
      <button type="button" className="uncol-button" onClick={() => service.undo()}>
        Undo
      </button>
      <button type="button" className="uncol-button" onClick={() => service.redo()}>
        Redo
      </button>
    </fieldset>
  );
}
