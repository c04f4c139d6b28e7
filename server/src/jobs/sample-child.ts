/** Entry of the process that makes the sample studies: generating them takes the whole of a core for minutes. */
import { type SampleSources, type SampleStudy, sampleStudies } from '../sample/studies.ts';
import { createPacs, type PacsOptions } from '../study/dicomweb.ts';
import type { Pacs } from '../study/pacs.ts';
import { serveTasks } from './child-side.ts';

export interface SampleSetUp {
  readonly pacs: PacsOptions;
  readonly sources: SampleSources;
}

export interface SampleProgress {
  readonly name: string;
  /** Studies that are in the PACS. */
  readonly done: number;
}

export interface SampleResult {
  readonly studies: number;
  /** Of these, made and stored now. */
  readonly stored: number;
}

serveTasks<SampleSetUp, null, SampleProgress, SampleResult>((setUp) => async (_task, report) => {
  const pacs = createPacs(setUp.pacs);
  let done = 0;
  let stored = 0;
  for await (const study of sampleStudies(setUp.sources)) {
    report({ name: study.name, done });
    if (!(await isComplete(pacs, study))) {
      // Storing an object again is harmless: its UID is derived, so the PACS keeps the one it has.
      for await (const file of study.files()) await pacs.store(file);
      stored += 1;
    }
    done += 1;
  }
  await pacs.close();
  return { studies: done, stored };
});

async function isComplete(pacs: Pacs, study: SampleStudy): Promise<boolean> {
  const found = await pacs.searchInstances(study);
  return found.length >= study.instances;
}
