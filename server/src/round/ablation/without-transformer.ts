import { type Student, served } from '../../student/architecture.ts';
import { product } from '../../student/layers.ts';
import { patchSize } from '../../student/prior-encoder.ts';

/**
 * The student without its transformer branch, in training and at inference: the bottleneck attends to zeros [N,P,space/16...]
 * in place of the prior (method section 1.1), which leaves a bias of it. Its parameters stay in the table, so that weights
 * have the same form; none of the branch is used, and none learns.
 */
export function withoutTransformer(student: Student): Student {
  return served({
    ...student,
    forward(ops, parameters, image, options) {
      const [batch = 0, , ...space] = image.shape;
      const shape = [batch, student.prior.channels, ...space.map((size) => size / patchSize)];
      const posterior = ops.constant(new Float32Array(product(shape)), shape);
      return student.forward(ops, parameters, image, { ...options, posterior });
    },
  });
}
