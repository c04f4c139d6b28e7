import { useId } from 'react';
import type { Receipt } from '../api/contract.ts';
import { vouchedSlices } from '../correction/approval.ts';
import type { MaskState, Submission } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { countOf, describeStoring, describeTeaching, formatCount, formatDice, formatMl } from '../service/words.ts';
import { Figures, ProblemBox, Section } from './parts.tsx';
import { SliceStrip } from './SliceStrip.tsx';

interface Props {
  readonly service: UncolService;
  readonly mask: MaskState;
  readonly submission: Submission;
  /** Id of the slice on display. */
  readonly currentSlice: string | null;
}

/** What the reader changed, for which slices they vouch, and the hand-in. */
export function CorrectionSection({ service, mask, submission, currentSlice }: Props) {
  const isChanged = mask.difference.changedVoxels > 0;
  const isSending = submission.phase === 'sending';
  return (
    <Section
      title="Your correction"
      aside={mask.isUnsubmitted ? <span className="uncol-badge uncol-badge-warning">not submitted</span> : null}
    >
      {isChanged ? (
        <Changes mask={mask} isSettled={!mask.isUnsubmitted} />
      ) : (
        <p className="uncol-muted">No changes to the model’s mask so far.</p>
      )}
      <SliceStrip service={service} mask={mask} currentSlice={currentSlice} isDisabled={isSending} />
      {isChanged && mask.isUnsubmitted && <SubmitControl service={service} mask={mask} isSending={isSending} />}
      {!isChanged && <AcceptControl service={service} mask={mask} submission={submission} />}
      {submission.phase === 'failed' && (
        <ProblemBox problem={submission.problem}>
          <p>Your edits are still here. Press the button again; nothing is stored twice.</p>
        </ProblemBox>
      )}
      {submission.phase === 'received' && (
        <ReceiptBox service={service} receipt={submission.receipt} kind={submission.kind} />
      )}
    </Section>
  );
}

function Changes({ mask: { difference }, isSettled }: { mask: MaskState; isSettled: boolean }) {
  const edited = `${countOf(difference.editedSlices.length, 'slice')} · ${countOf(difference.changedVoxels, 'voxel')}`;
  if (isSettled) {
    return (
      <p className="uncol-muted" data-testid="difference">
        {edited}, Dice {formatDice(difference.dice)}
      </p>
    );
  }
  return (
    <div data-testid="difference">
      <Figures
        rows={[
          ['Edited', edited],
          ['Added / removed', `${formatMl(difference.addedMl)} / ${formatMl(difference.removedMl)}`],
          ['Dice with the model’s mask', formatDice(difference.dice)],
        ]}
      />
    </div>
  );
}

function SubmitControl({ service, mask, isSending }: { service: UncolService; mask: MaskState; isSending: boolean }) {
  const hintId = useId();
  const checked = checkedSlices(mask);
  const isAll = checked === mask.slices.length;
  return (
    <div className="uncol-stack">
      <p id={hintId} className="uncol-muted">
        {isAll
          ? `All ${formatCount(checked)} slices will count as right.`
          : `${countOf(checked, 'slice')} will count as right: those you edited or ticked. The others are treated as not looked at, never as truth.`}
      </p>
      <button
        type="button"
        className="uncol-button uncol-button-primary"
        disabled={isSending}
        aria-describedby={hintId}
        onClick={() => service.submit()}
      >
        {isSending ? 'Submitting …' : `Submit correction (${countOf(checked, 'slice')})`}
      </button>
    </div>
  );
}

function AcceptControl({ service, mask, submission }: Omit<Props, 'currentSlice'>) {
  const hintId = useId();
  const isAccepted = submission.phase === 'received' && submission.kind === 'accepted';
  if (isAccepted && submission.receipt.withdrawn === null && !mask.isUnsubmitted) return null;
  const ticked = mask.tickedSlices.length;
  const isSome = ticked > 0 && ticked < mask.slices.length;
  const label = isSome ? `Accept the ${countOf(ticked, 'ticked slice')}` : 'Accept as it is';
  return (
    <div className="uncol-stack">
      <button
        type="button"
        className="uncol-button"
        disabled={submission.phase === 'sending'}
        aria-describedby={hintId}
        onClick={() => service.accept()}
      >
        {submission.phase === 'sending' ? 'Submitting …' : label}
      </button>
      <p id={hintId} className="uncol-muted">
        {isSome
          ? 'By accepting you say that the mask is right on the ticked slices. The others are treated as not looked at.'
          : `By accepting you say that you checked all ${formatCount(mask.slices.length)} slices and that the mask is right. Otherwise correct it with the brush first.`}
      </p>
    </div>
  );
}

function checkedSlices({ slices, difference, tickedSlices }: MaskState): number {
  return vouchedSlices({ allSlices: slices, editedSlices: difference.editedSlices, tickedSlices }).length;
}

interface ReceiptProps {
  readonly service: UncolService;
  readonly receipt: Receipt;
  readonly kind: 'edited' | 'accepted';
}

function ReceiptBox({ service, receipt, kind }: ReceiptProps) {
  const what = kind === 'accepted' ? 'Mask accepted' : 'Correction submitted';
  const isStored = receipt.state === 'stored';
  const tone = receipt.state === 'failed' ? 'uncol-box-problem' : 'uncol-box-good';
  return (
    <div className={`uncol-box ${tone}`} role="status" data-testid="receipt" data-state={receipt.state}>
      <strong>{isStored ? `${what} and stored in the PACS` : `${what}, safe on the server`}</strong>
      {describeStoring(receipt).map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      <p>
        {countOf(receipt.approvedSlices, 'slice')} you vouch for. {describeTeaching(receipt)}
      </p>
      {receipt.withdrawn === null && (
        <button type="button" className="uncol-button" onClick={() => service.withdraw()}>
          Take back
        </button>
      )}
      {receipt.notes.map((note) => (
        <p key={note} className="uncol-muted">
          {note}
        </p>
      ))}
      <details>
        <summary>SEG: {receipt.seg.seriesDescription}</summary>
        <p className="uncol-uid" data-testid="seg-uid">
          {receipt.seg.sopInstanceUid}
        </p>
      </details>
    </div>
  );
}
