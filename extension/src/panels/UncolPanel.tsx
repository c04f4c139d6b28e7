import { useSyncExternalStore } from 'react';
import { activeSeries, emptyLearning } from '../service/state.ts';
import type { UncolService } from '../service/uncol-service.ts';
import { CorrectionSection } from './CorrectionSection.tsx';
import { ImportSection } from './ImportSection.tsx';
import { LearningSection } from './LearningSection.tsx';
import { MaskSection } from './MaskSection.tsx';
import { ModelSection } from './ModelSection.tsx';
import { WorklistSection } from './WorklistSection.tsx';

/** The whole panel: model, mask, correction, learning, in the order in which a reader works. */
export function UncolPanel({ service }: { readonly service: UncolService }) {
  const state = useSyncExternalStore(service.holder.subscribe, service.holder.get);
  const series = activeSeries(state);
  const learning = series?.modelName ? (state.learning[series.modelName] ?? emptyLearning) : emptyLearning;
  return (
    <div className="uncol-panel" data-testid="uncol-panel">
      <p className="uncol-notice" role="note">
        AI-generated · research use only · not for diagnosis
      </p>
      {series === null ? (
        <p className="uncol-muted">Select a viewport that shows an image series.</p>
      ) : (
        <>
          {(series.modelName ?? state.worklist.model) !== null && (
            <WorklistSection
              service={service}
              worklist={state.worklist}
              studyInstanceUid={series.series.studyInstanceUid}
              isDone={series.submission.phase === 'received' && series.mask?.isUnsubmitted === false}
            />
          )}
          <ModelSection service={service} state={series} />
          {series.mask !== null && <MaskSection service={service} mask={series.mask} />}
          {series.mask !== null && (
            <CorrectionSection
              service={service}
              mask={series.mask}
              submission={series.submission}
              currentSlice={state.currentSlice}
            />
          )}
          {series.modelName !== null && (
            <ImportSection key={series.series.displaySetInstanceUid} service={service} importing={series.importing} />
          )}
          {series.modelName !== null && (
            <LearningSection service={service} learning={learning} exclusion={series.exclusion} />
          )}
        </>
      )}
    </div>
  );
}
