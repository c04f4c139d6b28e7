/** The server's wire types; nothing of the server is bundled. */
export type {
  AcceptedJob,
  CorrectionHead,
  Inference,
  Job,
  LabelmapHead,
  Model,
  ModelList,
  Problem,
  Receipt,
  StartInference,
} from '../../../server/src/http/contract.ts';
export type { MaskList, OpenImport, StartImport } from '../../../server/src/http/contract-import.ts';
export type {
  Candidate,
  ExclusionList,
  Pool,
  Quality,
  Round,
  RoundList,
  StartExclusion,
  Verdict,
} from '../../../server/src/http/contract-learning.ts';
export type {
  CaseOrder,
  CaseState,
  NextCase,
  StartNextCase,
  Worklist,
  WorklistItem,
} from '../../../server/src/http/contract-worklist.ts';
