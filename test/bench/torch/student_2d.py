"""Prob_UNet, with affine instance norm."""

import torch
import torch.nn.functional as F
from layers import Outputs, Student, token_map, tokens


class Unet(Student):
    def __call__(self, image, dropout=None, posterior=None):
        levels = []
        for level in range(len(self.config["channels"])):
            below = image if level == 0 else F.max_pool2d(levels[-1], 2)
            levels.append(self.block(f"encoder.{level}", below, dropout[level] if dropout else None))
        hidden, prior = self.prior(image)
        x = self.fusion(levels[-1], prior if posterior is None else posterior)
        for step, skip in enumerate(reversed(levels[:-1])):
            narrow = F.conv2d(x, self.get(f"decoder.{step}.narrow.weight"), self.get(f"decoder.{step}.narrow.bias"))
            wide = F.interpolate(narrow, scale_factor=2, mode="bilinear", align_corners=True)
            x = self.block(f"decoder.{step}", torch.cat([skip, wide], 1))
        heads = F.conv2d(x, self.joined("weight"), self.joined("bias"), padding=1).chunk(4, dim=1)
        return Outputs(heads, hidden, prior)

    def block(self, name, x, mask=None):
        x = self.half(f"{name}.0", x)
        return self.half(f"{name}.1", x if mask is None else x * mask)

    def half(self, name, x):
        # The norm takes the bias out again, so it has no gradient.
        x = F.conv2d(x, self.get(f"{name}.conv.weight"), self.get(f"{name}.conv.bias").detach(), padding=1)
        x = F.instance_norm(x, weight=self.get(f"{name}.norm.scale"), bias=self.get(f"{name}.norm.bias"), eps=1e-5)
        return F.leaky_relu(x, 0.01, inplace=True)

    def prior(self, image):
        """Hidden maps, and the prior features behind a neck as in SAM."""
        hidden, x, grid = self.tokens_of_patches(image)
        x = self.linear("prior.neck.project", x, bias=False)
        x = token_map(self.layer_norm("prior.neck.norm-0", x, 1e-6), grid)
        x = F.conv2d(x, self.get("prior.neck.conv.weight"), padding=1)
        return hidden, token_map(self.layer_norm("prior.neck.norm-1", tokens(x), 1e-6), grid)

    def draw_dropout(self, batch, space):
        """A mask for each encoder level, 0 or 1 / (1 - p)."""
        sizes = zip(self.config["channels"], self.config["dropout"])
        return [
            torch.empty(batch, channels, *[size // 2**level for size in space]).bernoulli_(1 - drop).div_(1 - drop)
            for level, (channels, drop) in enumerate(sizes)
        ]
