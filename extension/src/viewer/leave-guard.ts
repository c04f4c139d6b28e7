import { askToDiscard } from './discard-dialog.ts';

/** What the guard asks before the page moves away from a study. */
export interface LeaveQuestions {
  /** How many slices of work would be lost; 0 lets the reader go. */
  readonly countUnsubmitted: () => number;
}

/** Stands between unsubmitted work and whatever leaves the study. */
export interface LeaveGuard {
  /** Asks the reader now, if there is anything to lose. */
  mayLeave(): Promise<boolean>;
  /** Leaves without a further question. */
  leave(go: () => void): void;
  /** Takes the guard away. */
  stop(): void;
}

/** The one error on which the host's router gives up its move; after any other it loads the address as a new page. */
const heldBack = new DOMException('Held back: the reader is asked about unsubmitted work first.', 'DataCloneError');

/**
 * Keeps that error from being called a fault. Call it before the host renders: of listeners on the window the first to
 * come is the first to hear, and the host's own would tell the reader that something went wrong.
 */
export function muteHeldBack(): void {
  const mute = (event: ErrorEvent | PromiseRejectionEvent) => {
    if (('reason' in event ? event.reason : event.error) !== heldBack) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  window.addEventListener('error', mute);
  window.addEventListener('unhandledrejection', mute);
}

/**
 * Keeps unsubmitted edits and ticks from getting lost: asks before OHIF leaves the study (its own navigation and the browser's
 * back button) and before the page is closed or reloaded.
 *
 * OHIF's router writes the history first and renders afterwards, and any news from it, even of the same address, opens
 * the study afresh. So the router must not hear of a move that the reader has not agreed to.
 *
 */
export function guardLeaving({ countUnsubmitted }: LeaveQuestions): LeaveGuard {
  const pushState = history.pushState;
  const guardedPath = location.pathname;
  const guardedStudies = studiesOf(location.href);
  let isLeaving = false;
  let isReturning = false;

  const staysInStudy = (href: string) =>
    new URL(href, location.href).pathname === guardedPath && studiesOf(href) === guardedStudies;
  const mustAsk = (href: string) => !isLeaving && countUnsubmitted() > 0 && !staysInStudy(href);

  const guardedPushState: History['pushState'] = (data, unused, url) => {
    const href = url === undefined || url === null ? location.href : String(url);
    if (!mustAsk(href)) {
      pushState.call(history, data, unused, url);
      return;
    }
    void askToDiscard(countUnsubmitted(), 'Leave the study').then((isAgreed) => {
      if (!isAgreed) return;
      isLeaving = true;
      pushState.call(history, data, unused, url);
      window.dispatchEvent(new PopStateEvent('popstate', { state: history.state }));
    });
    throw heldBack;
  };

  const onPopState = (event: PopStateEvent) => {
    if (isReturning) {
      isReturning = false;
      event.stopImmediatePropagation();
      return;
    }
    if (!mustAsk(location.href)) return;
    event.stopImmediatePropagation();
    isReturning = true;
    history.go(1);
    void askToDiscard(countUnsubmitted(), 'Leave the study').then((isAgreed) => {
      if (!isAgreed) return;
      isLeaving = true;
      history.back();
    });
  };

  const onBeforeUnload = (event: BeforeUnloadEvent) => {
    if (countUnsubmitted() > 0) event.preventDefault();
  };

  history.pushState = guardedPushState;
  window.addEventListener('popstate', onPopState, true);
  window.addEventListener('beforeunload', onBeforeUnload);
  return {
    async mayLeave() {
      const count = countUnsubmitted();
      return count === 0 || askToDiscard(count, 'Leave the study');
    },
    leave(go) {
      isLeaving = true;
      go();
    },
    stop() {
      if (history.pushState === guardedPushState) history.pushState = pushState;
      window.removeEventListener('popstate', onPopState, true);
      window.removeEventListener('beforeunload', onBeforeUnload);
    },
  };
}

function studiesOf(href: string): string {
  const query = new URL(href, location.href).searchParams;
  return [...query.entries()]
    .filter(([key]) => key.toLowerCase() === 'studyinstanceuids')
    .map(([, value]) => value)
    .sort()
    .join(',');
}
