import type { CollaborationSettings } from '../../uncol/settings.ts';

/** What an arm of the ablation leaves out or puts in; each starts from the same stage 1. */
export interface Arm {
  /** In words, for the table. */
  readonly title: string;
  /** Whether stage 1 distils from the generalized teacher. */
  readonly isDistilled: boolean;
  /** Null: nothing after stage 1. `labelled`: labelled slices only. `all`: as if every slice were labelled. */
  readonly learnsFrom: null | 'labelled' | 'labelled-and-unlabelled' | 'all';
  readonly hasTeacher: boolean;
  readonly settings: Partial<CollaborationSettings>;
  /** The student lacks its transformer branch, in both stages. */
  readonly isWithoutTransformer?: true;
}

const published = { admission: false, sliceGate: 0 } as const;
const semi = { isDistilled: false, learnsFrom: 'labelled-and-unlabelled', hasTeacher: true } as const;

/** One table of all arms. */
export const arms = {
  'stage-1': {
    title: 'after stage 1',
    isDistilled: false,
    learnsFrom: null,
    hasTeacher: false,
    settings: {},
  },
  supervised: {
    title: 'supervised, further steps',
    isDistilled: false,
    learnsFrom: 'labelled',
    hasTeacher: false,
    settings: {},
  },
  'supervised-no-vit': {
    title: 'supervised, without the transformer branch',
    isDistilled: false,
    learnsFrom: 'labelled',
    hasTeacher: false,
    settings: {},
    isWithoutTransformer: true,
  },
  'mean-teacher': { ...semi, title: 'mean teacher and copy-paste', hasTeacher: false, settings: published },
  'mean-teacher-gate': {
    ...semi,
    title: 'the same with the slice gate',
    hasTeacher: false,
    settings: { sliceGate: 0.7 },
  },
  ungated: {
    ...semi,
    title: 'and the generalized teacher, no gate',
    settings: { ...published, foundationProb: 'renorm', trustStart: 1, trustEnd: 1 },
  },
  softmax: { ...semi, title: 'gate as published, softmax', settings: { ...published, foundationProb: 'softmax' } },
  renorm: { ...semi, title: 'gate as published, renorm', settings: { ...published, foundationProb: 'renorm' } },
  calibrated: {
    ...semi,
    title: 'gate as published, calibrated',
    settings: { ...published, foundationProb: 'calibrated' },
  },
  uncol: { ...semi, title: 'UnCoL: calibrated, admission, slice gate', settings: {} },
  'uncol-no-vit': { ...semi, title: 'UnCoL without the transformer branch', settings: {}, isWithoutTransformer: true },
  'uncol-visual': { ...semi, title: 'UnCoL with visual distillation', settings: { visualWeight: 0.1 } },
  'stage-1-distilled': {
    title: 'after stage 1 with distillation',
    isDistilled: true,
    learnsFrom: null,
    hasTeacher: true,
    settings: {},
  },
  'uncol-distilled': { ...semi, title: 'UnCoL from a distilled stage 1', isDistilled: true, settings: {} },
  full: { title: 'full supervision', isDistilled: false, learnsFrom: 'all', hasTeacher: false, settings: {} },
} as const satisfies Record<string, Arm>;

export type ArmName = keyof typeof arms;
export const armNames = Object.keys(arms) as [ArmName, ...ArmName[]];
