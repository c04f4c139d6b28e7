import { useId } from 'react';
import { vouchedSlices } from '../correction/approval.ts';
import type { MaskState } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { countOf, formatCount } from '../service/words.ts';

interface Props {
  readonly service: UncolService;
  readonly mask: MaskState;
  readonly currentSlice: string | null;
  readonly isDisabled: boolean;
}

/** Every slice as a small square: which are ticked as right, which edited, which is on display; and the ticks. */
export function SliceStrip({ service, mask, currentSlice, isDisabled }: Props) {
  const everyId = useId();
  const ticked = new Set(mask.tickedSlices);
  const edited = new Set(mask.difference.editedSlices);
  const at = currentSlice === null ? -1 : mask.slices.indexOf(currentSlice);
  const isTicked = currentSlice !== null && ticked.has(currentSlice);
  const checked = vouchedSlices({
    allSlices: mask.slices,
    editedSlices: mask.difference.editedSlices,
    tickedSlices: mask.tickedSlices,
  }).length;
  const summary = `${formatCount(checked)} of ${countOf(mask.slices.length, 'slice')}`;
  return (
    <div className="uncol-stack">
      <div className="uncol-spread">
        <span className="uncol-label">Checked</span>
        <span data-testid="checked-slices">{summary}</span>
      </div>
      <div
        className="uncol-strip"
        role="img"
        aria-label={`${summary} checked, ${countOf(edited.size, 'slice')} edited`}
      >
        {mask.slices.map((slice, index) => (
          // The keys below and the viewer's own do all this too, so the squares need not be reached by Tab.
          // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: see above
          <span
            key={slice}
            className={classesOf(ticked.has(slice), edited.has(slice), index === at)}
            title={`Slice ${index + 1}${edited.has(slice) ? ', edited' : ''}${ticked.has(slice) ? ', ticked' : ''}`}
            onClick={() => service.slices.turnTo(slice)}
          />
        ))}
      </div>
      <p className="uncol-legend">
        <span className="uncol-cell uncol-cell-ticked" /> ticked
        <span className="uncol-cell uncol-cell-edited" /> edited
        <span className="uncol-cell" /> not looked at
      </p>
      <div className="uncol-row">
        <button
          type="button"
          className="uncol-button"
          disabled={isDisabled || at < 0}
          onClick={() => service.slices.tick()}
        >
          {isTicked ? 'Untick' : 'Tick'} this slice <kbd>T</kbd>
        </button>
        <button
          type="button"
          className="uncol-button"
          disabled={isDisabled || at < 0}
          onClick={() => service.slices.tickAndGoOn()}
        >
          Tick, next <kbd>Shift+T</kbd>
        </button>
      </div>
      <div className="uncol-tick">
        <input
          id={everyId}
          type="checkbox"
          checked={ticked.size === mask.slices.length}
          disabled={isDisabled}
          onChange={(event) => service.slices.tickAll(event.target.checked)}
        />
        <label htmlFor={everyId}>I checked every slice ({formatCount(mask.slices.length)})</label>
      </div>
    </div>
  );
}

function classesOf(isTicked: boolean, isEdited: boolean, isCurrent: boolean): string {
  return [
    'uncol-cell',
    ...(isTicked ? ['uncol-cell-ticked'] : []),
    ...(isEdited ? ['uncol-cell-edited'] : []),
    ...(isCurrent ? ['uncol-cell-current'] : []),
  ].join(' ');
}
