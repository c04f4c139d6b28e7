import type { InputShapes, Ops, Parameters, Shape, Tensor, Tensors } from '../engine/ops.ts';
import type { Student } from '../student/architecture.ts';
import type { Layers } from '../student/layers.ts';
import type { StudentOutputs } from '../student/outputs.ts';
import { patchSize } from '../student/prior-encoder.ts';
import { alignSemantic, projectHidden } from '../student/projections.ts';
import { take } from './inputs.ts';
import { spread, visualLoss } from './losses/distillation.ts';
import { paste } from './mix.ts';
import type { TeacherManifest } from './teachers/manifest.ts';

/** Channels of what a generalized teacher lets the student see. */
export interface DistilledMaps {
  /** Of each hidden map h, shallow first. */
  readonly visual: readonly number[];
  /** Of src of one foreground class; null where the teacher has none. */
  readonly semantic: number | null;
}

/** What can be distilled from a teacher. */
export function distilledMapsOf({ encoder, decoder }: TeacherManifest): DistilledMaps {
  return { visual: encoder.hidden.map(({ channels }) => channels), semantic: decoder.semantic?.channels ?? null };
}

/** Maps of a teacher on the token grid of one slice, or of one window of a volume. */
export interface SliceMaps {
  /** h of each map, [channels,tokens...]. */
  readonly visual: readonly Float32Array[];
  /** src of all foreground classes, [(C-1)*channels,tokens...]; empty where the teacher has none. */
  readonly semantic: Float32Array;
}

const visualName = (of: string, at: number) => `${of}Visual${at}`;
const semanticName = (of: string) => `${of}Semantic`;

/** Inputs `<of>Visual0`, `<of>Visual1`, ..., [N,K,space/16...]. */
export function visualInputs(of: string, maps: DistilledMaps, frame: Frame): InputShapes {
  return Object.fromEntries(maps.visual.map((channels, at) => [visualName(of, at), tokenShape(frame, channels)]));
}

/** Input `<of>Semantic`, [N,(C-1)*K,space/16...]; none where the teacher has no such map. */
export function semanticInput(of: string, maps: DistilledMaps, frame: Frame, classes: number): InputShapes {
  if (maps.semantic === null) return {};
  return { [semanticName(of)]: tokenShape(frame, (classes - 1) * maps.semantic) };
}

interface Frame {
  readonly batch: number;
  readonly space: Shape;
}

function tokenShape({ batch, space }: Frame, channels: number): Shape {
  return [batch, channels, ...space.map((size) => size / patchSize)];
}

/** The maps of many slices as the inputs of {@link visualInputs} and {@link semanticInput}. */
export function mapArrays(
  of: string,
  slices: readonly SliceMaps[],
  maps: DistilledMaps,
  which: 'visual' | 'both',
): Record<string, Float32Array> {
  const joined = (parts: readonly (Float32Array | undefined)[]) => {
    const all = new Float32Array(parts.reduce((sum, part) => sum + (part?.length ?? 0), 0));
    let at = 0;
    for (const part of parts) {
      if (!part) throw new RangeError(`a slice of ${of} has no maps of the teacher`);
      all.set(part, at);
      at += part.length;
    }
    return all;
  };
  const visual = maps.visual.map((_, at) => [visualName(of, at), joined(slices.map((slice) => slice.visual[at]))]);
  const semantic = which === 'both' && maps.semantic !== null;
  return Object.fromEntries([
    ...visual,
    ...(semantic ? [[semanticName(of), joined(slices.map((slice) => slice.semantic))]] : []),
  ]);
}

/** The input maps of a batch, named as in {@link visualInputs}. */
export function takeVisual(inputs: Tensors, of: string, maps: DistilledMaps): Tensor[] {
  return maps.visual.map((_, at) => take(inputs, visualName(of, at)));
}

/** The input of {@link semanticInput}. */
export function takeSemantic(inputs: Tensors, of: string): Tensor {
  return take(inputs, semanticName(of));
}

/**
 * Maps of two slices pasted as the slices are, token by token: a token under the edge of the box gets the share of
 * each that lies in it. Stands for encoding the mixed slice (as published), which costs an encoding a slice and step.
 */
export function pasteMaps(ops: Ops, image: Tensor, patch: Tensor, mask: Tensor): Tensor {
  return paste(ops, image, patch, ops.avgPool(mask, patchSize));
}

/**
 * L_vis of a student (eq. 17) and the spread of the projected maps. The maps are those of the student's middle blocks:
 * the last block is left to the task.
 */
export function distilVisual(
  ops: Ops,
  parameters: Parameters,
  student: Student,
  maps: readonly Tensor[],
  outputs: StudentOutputs,
): { readonly loss: Tensor; readonly spread: Tensor } {
  const layers: Layers = { ops, parameters };
  const blocks = outputs.hidden.slice(student.prior.depth - 1 - maps.length, student.prior.depth - 1);
  const projected = maps.map((map) => projectHidden(layers, map, student.prior.features));
  const spreads = projected.map((map) => spread(ops, map));
  const mean = ops.mul(
    spreads.reduce((all, one) => ops.add(all, one)),
    ops.scalar(1 / spreads.length),
  );
  return { loss: visualLoss(ops, projected, blocks), spread: mean };
}

/** F_post (eq. 18). */
export function posteriorOf(ops: Ops, parameters: Parameters, student: Student, semantic: Tensor): Tensor {
  return alignSemantic({ ops, parameters }, semantic, student.prior.channels);
}
