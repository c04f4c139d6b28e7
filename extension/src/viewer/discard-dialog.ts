import { countOf } from '../service/words.ts';

let open: Promise<boolean> | null = null;

/**
 * Asks in a modal dialog whether unsubmitted edits and ticks may be lost. Lives outside the panel, which may not be mounted.
 *
 * @param slices How many slices of work would be lost.
 * @param action Label of the button that goes on, e.g. `Leave the study`.
 * @returns True when the reader agrees; closing the dialog or Escape keeps the edits.
 */
export function askToDiscard(slices: number, action: string): Promise<boolean> {
  open ??= showDialog(slices, action).finally(() => {
    open = null;
  });
  return open;
}

function showDialog(slices: number, action: string): Promise<boolean> {
  const dialog = document.createElement('dialog');
  dialog.className = 'uncol-dialog';
  dialog.setAttribute('aria-labelledby', 'uncol-discard-title');
  dialog.setAttribute('aria-describedby', 'uncol-discard-text');
  const title = element('h2', 'Your work is not submitted');
  title.id = 'uncol-discard-title';
  const text = element(
    'p',
    `Edits or ticks on ${countOf(slices, 'slice')} will be lost. To keep them, stay and submit.`,
  );
  text.id = 'uncol-discard-text';
  const stay = button('Stay', 'uncol-button uncol-button-primary');
  const discard = button(`${action}, lose the work`, 'uncol-button');
  const buttons = document.createElement('div');
  buttons.className = 'uncol-row';
  buttons.append(stay, discard);
  dialog.append(title, text, buttons);
  document.body.append(dialog);
  return new Promise((resolve) => {
    stay.addEventListener('click', () => dialog.close());
    discard.addEventListener('click', () => dialog.close('discard'));
    // The host's keys (Escape, Enter, Space) would otherwise act on the image behind and swallow the dialog's own.
    dialog.addEventListener('keydown', (event) => event.stopPropagation());
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'discard');
    });
    dialog.showModal();
    stay.focus();
  });
}

function element(name: 'h2' | 'p', text: string): HTMLElement {
  const node = document.createElement(name);
  node.textContent = text;
  return node;
}

function button(label: string, className: string): HTMLButtonElement {
  const node = document.createElement('button');
  node.type = 'button';
  node.className = className;
  node.textContent = label;
  return node;
}
