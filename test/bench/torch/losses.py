"""Losses of both stages over regions, [N,C,space...] logits and one-hot truth, [N,1,space...] regions."""

import math

import torch
import torch.nn.functional as F
from layers import PATCH

SMOOTH = 1e-5


def over_pixels(x):
    """Batch and space."""
    return [axis for axis in range(x.dim()) if axis != 1]


def region_mean(x, region):
    return (x * region).sum() / (region.sum() + 1e-16)


def surprise(logits, truth):
    return -(F.log_softmax(logits, 1) * truth).sum(1, keepdim=True)


def overlaps(logits, truth, region):
    p, axes = torch.softmax(logits, 1), over_pixels(logits)
    return (p * truth * region).sum(axes), ((p + truth) * region).sum(axes)


def cross_entropy(logits, truth, region):
    return region_mean(surprise(logits, truth), region)


def dice(logits, truth, region):
    both, total = overlaps(logits, truth, region)
    return 1 - ((2 * both + SMOOTH) / (total + SMOOTH)).mean()


def focal(logits, truth, region):
    nll = surprise(logits, truth)
    return region_mean((1 - torch.exp(-nll)) ** 2 * nll, region)


def soft_iou(logits, truth, region):
    both, total = overlaps(logits, truth, region)
    return 1 - ((both + SMOOTH) / (total - both + SMOOTH)).mean()


def supervised(heads, truth, region):
    """A quarter each, one a head."""
    losses = (cross_entropy, dice, focal, soft_iou)
    return sum(loss(logits, truth, region) for loss, logits in zip(losses, heads)) / 4


def entropy(p):
    return (p * (p + 1e-8).log()).sum(1, keepdim=True) / -math.log(p.shape[1])


def one_hot(labels, classes):
    """[N,1,space...] to [N,C,space...]."""
    return F.one_hot(labels[:, 0].long(), classes).movedim(-1, 1).to(labels.dtype)


def paste(image, patch, mask):
    return image * mask + patch * (1 - mask)


def paste_maps(image, patch, mask):
    pool = F.avg_pool2d if mask.dim() == 4 else F.avg_pool3d
    return paste(image, patch, pool(mask, PATCH))


def visual(student, maps, hidden):
    """Of the teacher's maps and the student's middle blocks: the last is left to the task."""
    blocks = hidden[-1 - len(maps) : -1]
    distances = [F.mse_loss(student.projection("hidden", h), v) for h, v in zip(maps, blocks)]
    return sum(distances) / len(distances)


def named(inputs, prefix):
    """Inputs `<prefix>0`, `<prefix>1`, ... as many as there are."""
    return [inputs[f"{prefix}{at}"] for at in range(sum(name.startswith(prefix) for name in inputs))]
