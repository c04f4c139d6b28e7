import type { Settings } from '../config/schema.ts';
import { readPacsAccess } from '../setup/pacs-access.ts';
import { createPacs, type Pacs } from '../study/dicomweb.ts';
import { chooseProfile } from '../study/pacs-profiles.ts';

/** A PACS that a command line or a recipe names by its DICOMweb root; the caller closes it. */
export async function openPacs(settings: Settings, url: string): Promise<Pacs> {
  // They are for the PACS of the settings: an address from elsewhere must not get them.
  const isOfSettings = settings.pacsUrl === undefined || new URL(settings.pacsUrl).origin === new URL(url).origin;
  const access = isOfSettings ? await readPacsAccess(settings) : {};
  const { pacsIdleSeconds: idleSeconds, pacsRetries: retries } = settings;
  const profile = chooseProfile(isOfSettings ? settings.pacsProfile : undefined, url).name;
  return createPacs({ url, ...access, idleSeconds, retries, profile });
}
