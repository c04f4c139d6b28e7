import { loadSettings } from '../config/load.ts';
import type { Card } from '../registry/card.ts';
import type { Outcome } from './output.ts';
import { openRegistry, withDatabase } from './state.ts';

/** What `uncol models --json` gives of a version. */
export interface ModelRow {
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  /** 2 for slices, 3 for volumes. */
  readonly dimension: number;
  readonly parameters: { readonly inference: number; readonly training: number };
  readonly inService: boolean;
}

/** Lists every version of every model. */
export async function runModels(): Promise<Outcome> {
  const settings = loadSettings();
  const versions = await withDatabase(settings, (database) => openRegistry(settings, database).list());
  const lines = versions.map(
    ({ card, inService }) => `${inService ? '*' : ' '} ${`${card.name}@${card.version}`.padEnd(20)} ${card.title}`,
  );
  return {
    json: versions.map(({ card, inService }) => rowOf(card, inService)),
    lines: lines.length > 0 ? [...lines, '', '* in service'] : ['There is no model.'],
  };
}

/** The row of a card. */
export function rowOf({ name, version, weights, architecture }: Card, inService: boolean): ModelRow {
  const inference = architecture.inferenceParameters;
  // Training adds parameters only where a student learns from the maps of a generalized teacher: no version here has.
  const parameters = { inference, training: inference };
  const dimension = Number(/-(\d)d$/.exec(architecture.network)?.[1]);
  return { name, version, sha256: weights.sha256, dimension, parameters, inService };
}
