import { ablation } from './ablation.ts';
import { engineStep } from './engine-step.ts';
import { gpu } from './gpu.ts';
import { kills } from './kills.ts';
import { proof } from './proof.ts';
import { realFiles } from './real-files.ts';
import type { Bench } from './record.ts';
import { robustness } from './robustness.ts';
import { round } from './round.ts';
import { roundMemory } from './round-memory.ts';
import { roundTrips } from './round-trip.ts';
import { rounds, roundsFull } from './rounds.ts';
import { server } from './server.ts';
import { stageTwo } from './stage-two.ts';
import { storedSeg } from './stored-seg.ts';
import { studyIo } from './study-io.ts';
import { syntaxes } from './syntaxes.ts';
import { viewer } from './viewer.ts';
import { viewerRoundTrips } from './viewer-round-trip.ts';
import { viewerSegLoad } from './viewer-seg-load.ts';
import { worklist } from './worklist.ts';

/** All that `npm run bench` can measure, in its order. */
export const benches: readonly Bench[] = [
  engineStep,
  stageTwo,
  server,
  viewer,
  viewerSegLoad,
  round,
  roundMemory,
  rounds,
  roundsFull,
  ablation,
  robustness,
  worklist,
  gpu,
  kills,
  proof,
  realFiles,
  syntaxes,
  roundTrips,
  viewerRoundTrips,
  storedSeg,
  studyIo,
];
