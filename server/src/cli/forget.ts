import { join } from 'node:path';
import { loadSettings } from '../config/load.ts';
import { AppError } from '../errors/app-error.ts';
import { appendAudit } from '../store/audit.ts';
import { emptyCacheFolder } from '../store/cache-folder.ts';
import { insertForgotten, listRoundsWith, listTouchedVersions } from '../store/forget.ts';
import { isUid } from '../study/uid.ts';
import type { Outcome } from './output.ts';
import { withDatabase } from './state.ts';

/**
 * Lets nothing be learnt from a study any more, removes what was kept of pixels, and lists the versions that it had a part
 * in. What readers submitted stays on record, and in the PACS.
 */
export function runForget(studyInstanceUid: string, reason: string): Promise<Outcome> {
  const settings = loadSettings();
  if (!isUid(studyInstanceUid)) throw new AppError('request-invalid', 'That is no Study Instance UID.');
  return withDatabase(settings, async (database) => {
    if (!database) throw new AppError('not-found', `Nothing was ever served from ${settings.home}.`);
    const rounds = await listRoundsWith(database, studyInstanceUid);
    if (rounds.length > 0)
      throw new AppError('round-running', 'A round that runs has read the study: cancel it, or wait for its end.');
    const versions = await listTouchedVersions(database, studyInstanceUid);
    await database.transaction(async (tx) => {
      await insertForgotten(tx, { studyInstanceUid, actor: 'command-line', reason });
      // Without the UID: the audit outlives everything.
      await appendAudit(tx, { actor: 'command-line', action: 'study-forgotten', object: { reason } });
    });
    // What is kept of pixels is not kept by study; a cache may be emptied at any time.
    for (const name of ['embeddings', 'volumes']) await emptyCacheFolder(join(settings.home, name));
    const lines = versions.map(
      ({ modelName, version, how }) =>
        `${modelName}@${version}  ${how === 'direct' ? 'learnt from it or was judged by it' : 'was made from such a version'}`,
    );
    return {
      json: { versions },
      lines: [
        'Nothing will be learnt from the study any more; what was kept of its pixels is removed.',
        ...(lines.length > 0 ? ['It had a part in:', ...lines] : ['No version had a part in it.']),
      ],
    };
  });
}
