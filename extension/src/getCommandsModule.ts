import { requireService } from './init.ts';

/** What keys, toolbar buttons and other extensions can run: `commandsManager.run('uncolSegment')`. */
export function getCommandsModule() {
  const actions = {
    uncolSegment: () => requireService().segment(),
    uncolCancel: () => requireService().cancel(),
    uncolSubmit: () => requireService().submit(),
    uncolAccept: () => requireService().accept(),
    uncolTickSlice: () => requireService().tickSlice(),
    uncolTickAndGoOn: () => requireService().tickAndGoOn(),
    uncolToggleUncertainty: () => requireService().toggleUncertainty(),
    uncolGoToLeastSure: () => requireService().goToLeastSure(),
  };
  const definitions = Object.fromEntries(Object.entries(actions).map(([name, commandFn]) => [name, { commandFn }]));
  return { actions, definitions, defaultContext: 'DEFAULT' };
}
