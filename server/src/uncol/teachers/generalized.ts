import type { Box } from '../prompts.ts';

/** A slice as the network sees it. */
export interface SliceToAsk {
  /** [H,W] float32, row-major, intensities as the student gets them. */
  readonly image: Float32Array;
  readonly height: number;
  readonly width: number;
  /** Background included. */
  readonly classes: number;
  /** One box for each foreground class, `boxes[c - 1]` for class c; null where the class was not found. */
  readonly boxes: readonly (Box | null)[];
}

/** What the generalized teacher says of one slice. */
export interface Opinion {
  /** p_G [C,H,W] float32, sum 1 over C. */
  readonly probabilities: Float32Array;
  /** u_G [H,W] float32 in [0, 1]; exactly 1 where it abstains. */
  readonly uncertainty: Float32Array;
}

/** The frozen foundation model that is prompted with what the specialized teacher found. */
export interface GeneralizedTeacher {
  /** One sentence for panel, log and model card. */
  readonly description: string;
  ask(slice: SliceToAsk): Promise<Opinion>;
}

/** "I do not know", everywhere: p_G uniform, u_G = 1. */
export function abstention(slice: Pick<SliceToAsk, 'height' | 'width' | 'classes'>): Opinion {
  const pixels = slice.height * slice.width;
  return {
    probabilities: new Float32Array(slice.classes * pixels).fill(1 / slice.classes),
    uncertainty: new Float32Array(pixels).fill(1),
  };
}

/** No foundation model: with this teacher the method is a gated mean teacher with copy-paste. */
export const abstaining: GeneralizedTeacher = {
  description: 'The generalized teacher abstained: pseudo-labels come from the specialized teacher alone.',
  ask: async (slice) => abstention(slice),
};

/**
 * Asks a teacher, but abstains in its place where nothing was found to prompt it with: a foundation model given the
 * whole frame as a box invents an object on an empty slice.
 *
 * @throws RangeError when the answer does not have the sizes of the slice.
 */
export async function askWithPrompts(teacher: GeneralizedTeacher, slice: SliceToAsk): Promise<Opinion> {
  if (slice.boxes.every((box) => box === null)) return abstention(slice);
  const opinion = await teacher.ask(slice);
  const pixels = slice.height * slice.width;
  if (opinion.probabilities.length !== slice.classes * pixels || opinion.uncertainty.length !== pixels)
    throw new RangeError(
      `the generalized teacher answered ${opinion.probabilities.length} probabilities and ` +
        `${opinion.uncertainty.length} uncertainties for ${slice.classes} classes on ${pixels} pixels`,
    );
  return opinion;
}
