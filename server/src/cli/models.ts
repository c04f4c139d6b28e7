import { loadSettings } from '../config/load.ts';
import type { Outcome } from './output.ts';
import { openRegistry, withDatabase } from './state.ts';

/** Lists every version of every model. */
export async function runModels(): Promise<Outcome> {
  const settings = loadSettings();
  const versions = await withDatabase(settings, (database) => openRegistry(settings, database).list());
  const models = versions.map(({ card, inService, origin }) => ({
    name: card.name,
    version: card.version,
    sha256: card.weights.sha256,
    inService,
    origin,
    title: card.title,
    trainedFor: card.trainedFor,
    modality: card.filter.modality,
    parent: card.parent?.version ?? null,
  }));
  const lines = models.map(
    ({ name, version, inService, title }) => `${inService ? '*' : ' '} ${`${name}@${version}`.padEnd(20)} ${title}`,
  );
  return { json: { models }, lines: lines.length > 0 ? [...lines, '', '* in service'] : ['There is no model.'] };
}
