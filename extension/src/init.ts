import css from './panels/panel.css';
import { UncolService } from './service/uncol-service.ts';
import { Host } from './viewer/host.ts';
import { muteHeldBack } from './viewer/leave-guard.ts';

let service: UncolService | null = null;

/** Creates the service for this page, with the API's root from `appConfig.uncol.root` (default `/v1`). */
export function adoptService(parts: ohif.HostParts): void {
  const style = document.createElement('style');
  style.textContent = css;
  document.head.append(style);
  muteHeldBack();
  service = new UncolService(new Host(parts), parts.appConfig?.uncol?.root ?? '/v1');
}

/** The page's service. @throws Error before the extension is registered. */
export function requireService(): UncolService {
  if (service === null) throw new Error('The UnCoL extension is not registered.');
  return service;
}
