"""Prob_VNet, with plain instance norm and additive skips."""

import torch.nn.functional as F
from layers import Outputs, Student, token_map

DOWN_DEPTHS = (1, 2, 3, 3, 3)
# From the bottleneck up; at full resolution each head has a convolution of its own instead.
UP_DEPTHS = (3, 3, 2, 0)


class Vnet(Student):
    def activate(self, x):
        # Without the kink of ReLU gradients can be compared to rounding.
        return F.gelu(x) if self.config.get("smooth") else F.relu(x, inplace=True)

    def __call__(self, image, dropout=None, posterior=None):
        levels = []
        for level, depth in enumerate(DOWN_DEPTHS):
            x = image if level == 0 else self.normed(F.conv3d, f"encoder.{level}.down", levels[-1], stride=2)
            levels.append(self.block(f"encoder.{level}", x, depth))
        hidden, last, grid = self.tokens_of_patches(image)
        prior = token_map(last, grid)
        x = self.fusion(levels[-1], prior if posterior is None else posterior)
        for step, (skip, depth) in enumerate(zip(reversed(levels[:-1]), UP_DEPTHS)):
            x = self.normed(F.conv_transpose3d, f"decoder.{step}.up", x, stride=2) + skip
            x = self.block(f"decoder.{step}", x, depth)
        # The first convolutions of the heads in one pass over the features.
        wide = F.conv3d(x, self.joined("0.weight"), self.joined("0.bias").detach(), padding=1)
        parts = self.activate(F.instance_norm(wide, eps=1e-5)).chunk(4, dim=1)
        heads = [
            F.conv3d(part, self.get(f"heads.{head}.1.weight"), self.get(f"heads.{head}.1.bias"))
            for head, part in enumerate(parts)
        ]
        return Outputs(heads, hidden, prior)

    def block(self, name, x, depth):
        for index in range(depth):
            x = self.normed(F.conv3d, f"{name}.{index}", x, padding=1)
        return x

    def normed(self, convolve, name, x, **how):
        # The norm takes the bias out again, so it has no gradient.
        x = convolve(x, self.get(f"{name}.weight"), self.get(f"{name}.bias").detach(), **how)
        return self.activate(F.instance_norm(x, eps=1e-5))

    def draw_dropout(self, batch, space):
        return None
