import { requireService } from './init.ts';
import { createIsland } from './island.tsx';
import { UncolPanel } from './panels/UncolPanel.tsx';

/** The panel offered to modes. */
export function getPanelModule() {
  return [
    {
      name: 'uncol',
      iconName: 'ToolSegmentAnything',
      iconLabel: 'UnCoL',
      label: 'UnCoL',
      component: createIsland(() => <UncolPanel service={requireService()} />),
    },
  ];
}
