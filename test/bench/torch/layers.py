"""What both students are made of: parameters by name, the transformer encoder, the cross-attention.

Spaces are [H,W] or [D,H,W]. Written for PyTorch 1.13 (Debian 12).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

PATCH = 16


class Outputs(NamedTuple):
    heads: tuple
    hidden: list
    prior: torch.Tensor

    @property
    def logits(self):
        return torch.stack(tuple(self.heads)).mean(0)


class Student:
    """Parameters by name, each a leaf; `used` collects which ones the network asked for."""

    def __init__(self, config, parameters):
        self.config = config
        self.parameters = parameters
        self.used = set()

    def get(self, name):
        self.used.add(name)
        return self.parameters[name]

    def joined(self, name, axis=0):
        """A parameter that each of the four heads has, one after the other."""
        return torch.cat([self.get(f"heads.{head}.{name}") for head in range(4)], axis)

    def linear(self, name, x, bias=True):
        # The table holds [inputs, outputs].
        return F.linear(x, self.get(f"{name}.weight").t(), self.get(f"{name}.bias") if bias else None)

    def layer_norm(self, name, x, eps=1e-5):
        return F.layer_norm(x, x.shape[-1:], self.get(f"{name}.scale"), self.get(f"{name}.bias"), eps)

    def tokens_of_patches(self, image):
        """The transformer encoder: token maps after each block, and the normed tokens of the last."""
        sizes = self.config["prior"]
        batch, _, *space = image.shape
        grid = [size // PATCH for size in space]
        cells = image.reshape(batch, *[size for side in grid for size in (side, PATCH)])
        order = [0, *range(1, cells.dim(), 2), *range(2, cells.dim(), 2)]
        patches = cells.permute(order).reshape(batch, math.prod(grid), PATCH ** len(grid))
        x = self.layer_norm("prior.embed-norm", self.linear("prior.embed", self.layer_norm("prior.patch-norm", patches)))
        x = x + positions(grid, sizes["features"])
        hidden = []
        for index in range(sizes["depth"]):
            x = x + self.attention(f"prior.{index}", x)
            wide = self.linear(f"prior.{index}.mlp-in", self.layer_norm(f"prior.{index}.mlp-norm", x))
            x = x + self.linear(f"prior.{index}.mlp-out", F.gelu(wide))
            hidden.append(token_map(x, grid))
        return hidden, self.layer_norm("prior.norm", x), grid

    def attention(self, name, x):
        heads, size = self.config["prior"]["heads"], self.config["prior"]["headSize"]
        batch, count, _ = x.shape
        mapped = self.linear(f"{name}.query-key-value", self.layer_norm(f"{name}.attention-norm", x), bias=False)
        query, key, value = mapped.reshape(batch, count, 3, heads, size).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(query @ key.transpose(-1, -2) * size**-0.5, -1)
        joined = (weights @ value).transpose(1, 2).reshape(batch, count, heads * size)
        return self.linear(f"{name}.attention-out", joined, bias=False)

    def fusion(self, bottleneck, prior):
        """One head over all channels, scaled as several would be."""
        sizes = self.config["prior"]
        queries, memory = tokens(bottleneck), tokens(prior)
        query, key, value = [
            self.linear(f"fusion.{name}", x) for name, x in (("query", queries), ("key", memory), ("value", memory))
        ]
        weights = torch.softmax(query @ key.transpose(1, 2) * (sizes["channels"] / sizes["heads"]) ** -0.5, -1)
        return token_map(queries + self.linear("fusion.out", weights @ value), bottleneck.shape[2:])

    def projection(self, name, x):
        """A 1x1 convolution of a teacher's map; as published it has a bias in 2D alone."""
        is_flat = x.dim() == 4
        convolve = F.conv2d if is_flat else F.conv3d
        name = f"projections.{name}"
        return convolve(x, self.get(f"{name}.weight"), self.get(f"{name}.bias") if is_flat else None)


def tokens(x):
    return x.flatten(2).transpose(1, 2)


def token_map(x, space):
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], *space)


def positions(grid, features):
    """[T,F]: sine and cosine of the last axis, then of the one before, ...; features left over stay 0."""
    share = features // (2 * len(grid))
    frequency = 10000.0 ** (-torch.arange(share, dtype=torch.float64) / (share - 1))
    places = torch.meshgrid(*[torch.arange(side) for side in grid], indexing="ij")
    angles = [place.reshape(-1, 1) * frequency for place in reversed(places)]
    encoded = torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], 1)
    return F.pad(encoded, (0, features - encoded.shape[1])).to(torch.get_default_dtype())
