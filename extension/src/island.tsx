import { createElement, type ReactElement, type ReactNode } from 'react';
import { createRoot, type Root } from 'react-dom/client';

/**
 * A component for the host's tree that draws with our own React.
 *
 * The host shares no React before OHIF 3.14, and hooks of a second copy fail inside its tree. So this component calls
 * no hook and returns one `div`, whose ref callback mounts and unmounts a root of ours. The callback is one function
 * for all renders: a new one each time would remount the panel at every render of the host.
 *
 * @param content What to draw inside.
 */
export function createIsland(content: () => ReactNode): () => ReactElement {
  let root: Root | null = null;
  const mount = (node: HTMLDivElement | null) => {
    const previous = root;
    root = null;
    // Unmounting a root while the host renders is an error; the next task is late enough.
    if (previous !== null) setTimeout(() => previous.unmount(), 0);
    if (node === null) return;
    const container = document.createElement('div');
    container.className = 'uncol-island';
    container.addEventListener('keydown', keepKeysOfControls);
    node.replaceChildren(container);
    root = createRoot(container);
    root.render(content());
  };
  const createHostElement = window.react?.createElement ?? createElement;
  return () => createHostElement('div', { ref: mount, className: 'uncol-island-frame' });
}

const controlKeys: ReadonlySet<string> = new Set(['Enter', ' ', 'ArrowUp', 'ArrowDown', 'Home', 'End']);

/** The host binds keys such as Space and Enter on the whole document and swallows them, so buttons would be dead. */
function keepKeysOfControls(event: KeyboardEvent): void {
  const isControl = event.target instanceof Element && event.target.matches('button, select, input');
  if (isControl && controlKeys.has(event.key)) event.stopPropagation();
}
