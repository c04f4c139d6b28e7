import { AppError } from '../errors/app-error.ts';
import { appendAudit } from '../store/audit.ts';
import type { Database, Queryable } from '../store/database.ts';
import { holdAlias, insertModelVersion, insertPromotion, moveAlias, takeBackPromotion } from '../store/models.ts';

/** A version made by a round, as it enters the registry. */
export interface NewVersion {
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  readonly parent: number;
  readonly roundId: string;
}

/** Who decided what serves, and why. */
export interface Decision {
  /** Subject of the token, or `server`. */
  readonly actor: string;
  readonly reason: string;
}

/** Puts a candidate in service in place of its parent: version, alias, promotion and audit row, all in the caller's transaction. */
export async function promote(tx: Queryable, candidate: NewVersion, { actor, reason }: Decision): Promise<void> {
  const { name, version, parent, sha256, roundId } = candidate;
  await insertModelVersion(tx, candidate);
  await moveAlias(tx, name, version);
  await insertPromotion(tx, { name, version, previous: parent, actor, reason });
  await appendAudit(tx, { actor, action: 'model-promoted', object: { model: name, version, parent, sha256, roundId } });
}

/**
 * Puts a version that exists (back) in service.
 *
 * @param model with the version in service, as it was read before.
 * @throws AppError `promotion-not-possible`: it serves already.
 */
export async function serveVersion(
  database: Database,
  model: { readonly name: string; readonly version: number; readonly inService: number },
  { actor, reason }: Decision,
): Promise<void> {
  const { name, version, inService } = model;
  await database.transaction(async (tx) => {
    const previous = (await holdAlias(tx, name)) ?? inService;
    if (version === previous) {
      throw new AppError('promotion-not-possible', `${name}@${version} is in service already.`, { name, version });
    }
    await moveAlias(tx, name, version);
    await insertPromotion(tx, { name, version, previous, actor, reason });
    const object = { model: name, version, parent: previous, reason };
    await appendAudit(tx, { actor, action: 'model-promoted', object });
  });
}

/**
 * Takes back the latest promotion of a model that still stands: what served before it serves again. Called once more, it
 * goes one promotion further back.
 *
 * @throws AppError `promotion-not-possible`: none stands.
 */
export async function rollBack(database: Database, name: string, { actor, reason }: Decision): Promise<void> {
  await database.transaction(async (tx) => {
    const promotion = await takeBackPromotion(tx, name, { actor, reason });
    if (!promotion)
      throw new AppError('promotion-not-possible', `No promotion of ${name} can be taken back.`, { name });
    const { version, previous } = promotion;
    await moveAlias(tx, name, previous);
    await appendAudit(tx, {
      actor,
      action: 'model-rolled-back',
      object: { model: name, version: previous, parent: version, reason },
    });
  });
}
