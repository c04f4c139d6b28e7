import { join } from 'node:path';
import type { Settings } from '../config/schema.ts';
import { foreignGraphOpener } from '../engine/onnx/foreign.ts';
import { openTeacher } from '../registry/teachers.ts';
import { openEmbeddingFolder } from '../store/embeddings.ts';
import type { PromptableTeacher } from '../uncol/teachers/promptable.ts';
import { threadsOf } from './engine.ts';

/** Opens a generalized teacher for a command, its encodings kept where rounds keep theirs. */
export async function openTeacherFor(settings: Settings, name: string, dimension: 2 | 3): Promise<PromptableTeacher> {
  return openTeacher(name, {
    dimension,
    files: join(settings.home, 'teachers'),
    open: foreignGraphOpener({ threads: threadsOf(settings) }),
    cache: await openEmbeddingFolder(join(settings.home, 'embeddings'), settings.embeddingQuotaMb * 1e6),
  });
}
