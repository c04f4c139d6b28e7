import type { UncolClient } from '../api/client.ts';
import type { Inference, LabelmapHead, Receipt } from '../api/contract.ts';
import { type Envelope, encodeEnvelope, sliceOf } from '../api/envelope.ts';
import { toUserProblem } from '../api/problem.ts';
import { type Approval, approve } from '../correction/approval.ts';
import { compareMasks, copyMask, isSameMask, type MaskSlice } from '../correction/difference.ts';
import { type KeyedEnvelope, keyEnvelope } from '../correction/submission-key.ts';
import type { Host } from '../viewer/host.ts';
import { type DrawnMask, readMask } from '../viewer/mask.ts';
import type { MaskState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

const SETTLE_MS = 250;
const STORING_MS = 3000;

/** What the server needs to know of a series' mask, beside the drawn state: too large for it. */
interface Work {
  readonly displaySetUid: string;
  readonly inference: Inference;
  readonly head: LabelmapHead;
  readonly drawn: DrawnMask;
  /** The model's own mask. */
  readonly baseline: readonly MaskSlice[];
  /** What was last handed in, and for which slices the reader vouched. */
  submitted: { readonly mask: readonly MaskSlice[]; readonly slices: readonly string[] } | null;
  lastTry: KeyedEnvelope | null;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Follows what the reader changes on the model's masks, and hands it in. */
export class Corrector {
  readonly #host: Host;
  readonly #client: UncolClient;
  readonly #holder: StateHolder;
  /** By segmentation id. */
  readonly #works = new Map<string, Work>();

  constructor(host: Host, client: UncolClient, holder: StateHolder) {
    this.#host = host;
    this.#client = client;
    this.#holder = holder;
  }

  /** Takes a freshly drawn mask as the baseline of a series; the one before is removed from the viewer. */
  adopt(displaySetUid: string, inference: Inference, envelope: Envelope<LabelmapHead>, drawn: DrawnMask): void {
    const before = this.#find(displaySetUid);
    const baseline = envelope.head.slices.map((sliceId, index) => ({
      sliceId,
      voxels: sliceOf(envelope, index),
    }));
    this.#works.set(drawn.segmentationId, {
      displaySetUid,
      inference,
      head: envelope.head,
      drawn,
      baseline,
      submitted: null,
      lastTry: null,
      timer: undefined,
    });
    this.#holder.patchSeries(displaySetUid, {
      submission: { phase: 'none' },
      mask: {
        inference,
        segmentationId: drawn.segmentationId,
        slices: drawn.slices,
        difference: compareMasks(baseline, baseline, drawn.voxelMl),
        isUnsubmitted: false,
        tickedSlices: [],
        layer: { phase: 'off' },
      },
    });
    if (before !== undefined) {
      this.#forget(before);
      this.#host.services.segmentationService.remove(before.drawn.segmentationId);
    }
  }

  /** Something changed a segmentation's voxels; a stroke sends many of these, so the comparison waits for the last. */
  readonly noteChange = (segmentationId: string): void => {
    const work = this.#works.get(segmentationId);
    if (work === undefined) return;
    clearTimeout(work.timer);
    work.timer = setTimeout(() => this.#compare(work), SETTLE_MS);
  };

  /** A segmentation was removed in the viewer. */
  readonly noteRemoval = (segmentationId: string): void => {
    const work = this.#works.get(segmentationId);
    if (work === undefined) return;
    this.#forget(work);
    this.#holder.patchSeries(work.displaySetUid, { mask: null, submission: { phase: 'none' } });
  };

  /** Brings the difference of a series up to date now, ahead of the settling time. */
  compareNow(displaySetUid: string): void {
    const work = this.#find(displaySetUid);
    if (work !== undefined) this.#compare(work);
  }

  /**
   * Hands in the mask as it stands: `edited` with the slices the reader vouches for, or `accepted` as it is. The edits
   * stay in the viewer whatever the answer.
   *
   * @returns True when the server has it.
   */
  async submit(displaySetUid: string, kind: Approval['kind']): Promise<boolean> {
    const work = this.#find(displaySetUid);
    if (work === undefined || this.#holder.get().series[displaySetUid]?.submission.phase === 'sending') return false;
    this.#compare(work);
    const mask = this.#holder.get().series[displaySetUid]?.mask;
    const live = readMask(this.#host, work.drawn.segmentationId, work.head.slices);
    if (!mask || live === null) return false;
    const approval = approvalOf(work, mask);
    if (approval.kind !== kind) return false;
    const snapshot = copyMask(live);
    work.lastTry = keyEnvelope(createEnvelope(work, snapshot, approval), work.lastTry, () =>
      this.#host.libraries.cornerstone.utilities.uuidv4(),
    );
    this.#holder.patchSeries(displaySetUid, { submission: { phase: 'sending' } });
    // The reader may have the series segmented anew meanwhile: the answer is not about that mask.
    const isShown = () => this.#find(displaySetUid) === work;
    try {
      const receipt = await this.#client.submitCorrection(work.lastTry.envelope, work.lastTry.key);
      if (!isShown()) return true;
      work.submitted = { mask: snapshot, slices: approval.approvedSlices };
      this.#holder.patchSeries(displaySetUid, { submission: { phase: 'received', receipt, kind } });
      this.#compare(work);
      if (receipt.state === 'storing') this.#watchReceipt(work, receipt, kind);
      return true;
    } catch (error) {
      if (isShown())
        this.#holder.patchSeries(displaySetUid, { submission: { phase: 'failed', problem: toUserProblem(error) } });
      return false;
    }
  }

  /** Takes the submission on display back; the edits stay in the viewer, and may be handed in again. */
  async withdraw(displaySetUid: string): Promise<void> {
    const work = this.#find(displaySetUid);
    const submission = this.#holder.get().series[displaySetUid]?.submission;
    if (work === undefined || submission?.phase !== 'received') return;
    try {
      const receipt = await this.#client.withdraw(submission.receipt.id, 'taken back in the viewer');
      work.submitted = null;
      work.lastTry = null;
      this.#holder.patchSeries(displaySetUid, { submission: { ...submission, receipt } });
      this.#compare(work);
    } catch (error) {
      this.#holder.patchSeries(displaySetUid, { submission: { phase: 'failed', problem: toUserProblem(error) } });
    }
  }

  /** Forgets every mask; the host removes its segmentations itself when a mode ends. */
  reset(): void {
    for (const work of this.#works.values()) this.#forget(work);
  }

  /** Asks for the receipt again until the PACS holds the SEG, as long as this receipt is the one on display. */
  #watchReceipt(work: Work, receipt: Receipt, kind: Approval['kind']): void {
    setTimeout(async () => {
      const isShown = () => {
        const submission = this.#holder.get().series[work.displaySetUid]?.submission;
        return submission?.phase === 'received' && submission.receipt.id === receipt.id;
      };
      if (!isShown()) return;
      // A failed question is asked again: the receipt on display stays true meanwhile.
      const now = await this.#client.getCorrection(receipt.id).catch(() => receipt);
      if (!isShown()) return;
      this.#holder.patchSeries(work.displaySetUid, { submission: { phase: 'received', receipt: now, kind } });
      if (now.state === 'storing') this.#watchReceipt(work, now, kind);
    }, STORING_MS);
  }

  #compare(work: Work): void {
    clearTimeout(work.timer);
    const mask = this.#holder.get().series[work.displaySetUid]?.mask;
    const live = readMask(this.#host, work.drawn.segmentationId, work.head.slices);
    if (!mask || mask.segmentationId !== work.drawn.segmentationId || live === null) return;
    const difference = compareMasks(work.baseline, live, work.drawn.voxelMl);
    const { tickedSlices } = mask;
    const { approvedSlices } = approvalOf(work, { difference, tickedSlices });
    const isSubmitted =
      work.submitted !== null &&
      isSameMask(work.submitted.mask, live) &&
      work.submitted.slices.join() === approvedSlices.join();
    const hasWork = difference.changedVoxels > 0 || tickedSlices.length > 0;
    this.#holder.patchSeries(work.displaySetUid, {
      mask: { ...mask, difference, isUnsubmitted: hasWork && !isSubmitted },
    });
  }

  #find(displaySetUid: string): Work | undefined {
    return [...this.#works.values()].find((work) => work.displaySetUid === displaySetUid);
  }

  #forget(work: Work): void {
    clearTimeout(work.timer);
    this.#works.delete(work.drawn.segmentationId);
  }
}

function approvalOf(
  { head }: Work,
  { difference, tickedSlices }: Pick<MaskState, 'difference' | 'tickedSlices'>,
): Approval {
  return approve({ allSlices: head.slices, editedSlices: difference.editedSlices, tickedSlices });
}

function createEnvelope({ head, inference }: Work, mask: readonly MaskSlice[], approval: Approval): Uint8Array {
  const sliceSize = head.rows * head.columns;
  const voxels = new Uint8Array(sliceSize * mask.length);
  mask.forEach((slice, index) => {
    voxels.set(slice.voxels, index * sliceSize);
  });
  return encodeEnvelope({ head: { ...head, inferenceId: inference.id, ...approval }, voxels });
}
