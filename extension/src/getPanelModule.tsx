import { requireService } from './init.ts';
import { createIsland } from './island.tsx';
import { UncolPanel } from './panels/UncolPanel.tsx';

/** The panel offered to modes. */
export function getPanelModule() {
  return [
    {
      name: 'uncol',
      iconName: 'tool-ai',
      iconLabel: 'UnCoL',
      label: 'UnCoL',
      component: createIsland(() => <UncolPanel service={requireService()} />),
    },
  ];
}
