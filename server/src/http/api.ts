import type { Worklists } from '../worklist/worklists.ts';
import type { Route } from './route.ts';
import { type CorrectionParts, correctionRoutes } from './routes/corrections.ts';
import { healthRoutes, type Probe } from './routes/health.ts';
import { holdRoutes } from './routes/holds.ts';
import { importRoutes } from './routes/imports.ts';
import { type InferenceParts, inferenceRoutes } from './routes/inferences.ts';
import { jobRoutes } from './routes/jobs.ts';
import { modelRoutes } from './routes/models.ts';
import { poolRoutes } from './routes/pool.ts';
import { promotionRoutes } from './routes/promotions.ts';
import { reviewRoutes } from './routes/reviews.ts';
import { roundRoutes } from './routes/rounds.ts';
import { type UsageParts, usageRoutes } from './routes/usage.ts';
import { worklistRoutes } from './routes/worklists.ts';

/** Everything that the routes stand on. */
export interface ApiParts extends InferenceParts, CorrectionParts, UsageParts {
  /** Asked by `/readyz`. */
  readonly probes: Readonly<Record<string, Probe>>;
  readonly worklists: Worklists;
}

/** The route table: one list for each kind of resource. */
export function apiRoutes(parts: ApiParts): readonly Route[] {
  return [
    ...inferenceRoutes(parts),
    ...modelRoutes(parts),
    ...correctionRoutes(parts),
    ...importRoutes(parts),
    ...reviewRoutes(parts),
    ...poolRoutes(parts),
    ...worklistRoutes(parts),
    ...holdRoutes(parts),
    ...roundRoutes(parts),
    ...promotionRoutes(parts),
    ...jobRoutes(parts),
    ...usageRoutes(parts),
    ...healthRoutes(parts.probes, parts.metrics.registry),
  ];
}
