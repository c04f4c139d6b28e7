import { requireService } from './init.ts';

/** What keys, toolbar buttons and other extensions can run: `commandsManager.run('uncolSegment')`. */
export function getCommandsModule() {
  const actions = {
    uncolSegment: () => requireService().segment(),
    uncolCancel: () => requireService().cancel(),
    uncolSubmit: () => requireService().submit(),
    uncolAccept: () => requireService().accept(),
    uncolNextCase: () => requireService().worklist.openNext(),
    uncolTickSlice: () => requireService().slices.tick(),
    uncolTickAndGoOn: () => requireService().slices.tickAndGoOn(),
    uncolToggleUncertainty: () => requireService().toggleUncertainty(),
    uncolGoToLeastSure: () => requireService().goToLeastSure(),
  };
  const definitions = Object.fromEntries(Object.entries(actions).map(([name, commandFn]) => [name, { commandFn }]));
  return { actions, definitions, defaultContext: 'DEFAULT' };
}
