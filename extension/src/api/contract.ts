/** The server's wire types; nothing of the server is bundled. */
export type {
  AcceptedJob,
  CorrectionHead,
  Inference,
  Job,
  LabelmapHead,
  Model,
  ModelList,
  Pool,
  Problem,
  Receipt,
  Round,
  RoundList,
  StartInference,
  Verdict,
} from '../../../server/src/http/contract.ts';
