import { AppError } from '../errors/app-error.ts';
import { appendAudit } from '../store/audit.ts';
import type { Database, Queryable } from '../store/database.ts';
import { insertModelVersion, moveAlias } from '../store/models.ts';

/** A version made by a round, as it enters the registry. */
export interface NewVersion {
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  readonly parent: number;
  readonly roundId: string;
}

/** Puts a candidate in service: version row, alias and audit row, all in the caller's transaction. */
export async function promote(tx: Queryable, candidate: NewVersion, actor: string): Promise<void> {
  const { name, version, parent, sha256, roundId } = candidate;
  await insertModelVersion(tx, candidate);
  await moveAlias(tx, name, version);
  await appendAudit(tx, { actor, action: 'model-promoted', object: { model: name, version, parent, sha256, roundId } });
}

/**
 * Puts a version that exists (back) in service.
 *
 * @throws AppError `promotion-not-possible`: it serves already.
 */
export async function serveVersion(
  database: Database,
  model: { readonly name: string; readonly version: number; readonly inService: number },
  actor: string,
): Promise<void> {
  const { name, version, inService } = model;
  if (version === inService) {
    throw new AppError('promotion-not-possible', `${name}@${version} is in service already.`, { name, version });
  }
  await database.transaction(async (tx) => {
    await moveAlias(tx, name, version);
    await appendAudit(tx, { actor, action: 'model-promoted', object: { model: name, version, parent: inService } });
  });
}
