import { getCommandsModule } from './getCommandsModule.ts';
import { getPanelModule } from './getPanelModule.tsx';
import { id } from './id.ts';
import { adoptService, requireService } from './init.ts';

/** The extension as OHIF loads it, at run time or at build time. */
const extension = {
  id,
  preRegistration: (parts: ohif.HostParts) => adoptService(parts),
  getPanelModule,
  getCommandsModule,
  onModeEnter: () => requireService().start(),
  onModeExit: () => requireService().stop(),
};

export default extension;
