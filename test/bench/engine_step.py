"""The full or lite 2D student, its stage-1 loss and its training step in PyTorch, to compare the engine with.

engine_step.py check FOLDER    writes gradient.f32 and probabilities.f32, prints {"loss": ...}
engine_step.py serve FOLDER    answers each line "step" or "forward" on stdin with {"ms": ..., "cpuMs": ...}

FOLDER holds task.json (config, table and shapes of the inputs, threads) and little-endian float32 files: weights.f32,
the flat vector in the order of the table, and NAME.f32 for each input. Written for PyTorch 1.13 (Debian 12).
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F


def read(path, shape):
    return torch.from_numpy(np.fromfile(path, dtype="<f4").reshape(shape))


class Student:
    """Prob_UNet. Parameters by name, each a leaf; `used` collects which ones the network asked for."""

    def __init__(self, config, parameters):
        self.config = config
        self.parameters = parameters
        self.used = set()

    def get(self, name):
        self.used.add(name)
        return self.parameters[name]

    def __call__(self, image, dropout=None):
        levels = []
        for level in range(len(self.config["channels"])):
            below = image if level == 0 else F.max_pool2d(levels[-1], 2)
            levels.append(self.block(f"encoder.{level}", below, dropout and dropout[level]))
        x = self.fusion(levels[-1], self.prior(image))
        for step, skip in enumerate(reversed(levels[:-1])):
            narrow = F.conv2d(x, self.get(f"decoder.{step}.narrow.weight"), self.get(f"decoder.{step}.narrow.bias"))
            wide = F.interpolate(narrow, scale_factor=2, mode="bilinear", align_corners=True)
            x = self.block(f"decoder.{step}", torch.cat([skip, wide], 1))
        weights = torch.cat([self.get(f"heads.{head}.weight") for head in range(4)])
        biases = torch.cat([self.get(f"heads.{head}.bias") for head in range(4)])
        return F.conv2d(x, weights, biases, padding=1).chunk(4, dim=1)

    def block(self, name, x, mask=None):
        x = self.half(f"{name}.0", x)
        return self.half(f"{name}.1", x if mask is None else x * mask)

    def half(self, name, x):
        # The norm takes the bias out again, so it has no gradient.
        x = F.conv2d(x, self.get(f"{name}.conv.weight"), self.get(f"{name}.conv.bias").detach(), padding=1)
        x = F.instance_norm(x, weight=self.get(f"{name}.norm.scale"), bias=self.get(f"{name}.norm.bias"), eps=1e-5)
        return F.leaky_relu(x, 0.01, inplace=True)

    def linear(self, name, x, bias=True):
        # The table holds [inputs, outputs].
        return F.linear(x, self.get(f"{name}.weight").t(), self.get(f"{name}.bias") if bias else None)

    def layer_norm(self, name, x, eps=1e-5):
        return F.layer_norm(x, x.shape[-1:], self.get(f"{name}.scale"), self.get(f"{name}.bias"), eps)

    def prior(self, image):
        sizes = self.config["prior"]
        batch, _, height, width = image.shape
        rows, columns = height // 16, width // 16
        cells = image.reshape(batch, rows, 16, columns, 16).permute(0, 1, 3, 2, 4)
        patches = self.layer_norm("prior.patch-norm", cells.reshape(batch, rows * columns, 256))
        x = self.layer_norm("prior.embed-norm", self.linear("prior.embed", patches))
        x = x + positions(rows, columns, sizes["features"])
        for index in range(sizes["depth"]):
            x = x + self.attention(f"prior.{index}", x)
            wide = self.linear(f"prior.{index}.mlp-in", self.layer_norm(f"prior.{index}.mlp-norm", x))
            x = x + self.linear(f"prior.{index}.mlp-out", F.gelu(wide))
        x = self.linear("prior.neck.project", self.layer_norm("prior.norm", x), bias=False)
        x = token_map(self.layer_norm("prior.neck.norm-0", x, 1e-6), rows, columns)
        x = F.conv2d(x, self.get("prior.neck.conv.weight"), padding=1)
        return token_map(self.layer_norm("prior.neck.norm-1", tokens(x), 1e-6), rows, columns)

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
        attended = self.linear("fusion.out", weights @ value)
        return token_map(queries + attended, *bottleneck.shape[2:])


def tokens(x):
    return x.flatten(2).transpose(1, 2)


def token_map(x, rows, columns):
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], rows, columns)


def positions(rows, columns, features):
    quarter = features // 4
    frequency = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64) / (quarter - 1))
    y = torch.arange(rows).repeat_interleave(columns)[:, None] * frequency
    x = torch.arange(columns).repeat(rows)[:, None] * frequency
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], 1).float()


def supervised_loss(heads, truth, region):
    """A quarter each of cross-entropy, Dice, focal (gamma 2) and soft IoU, one a head, inside the region."""
    count, smooth = region.sum() + 1e-16, 1e-5

    def surprise(logits):
        return -(F.log_softmax(logits, 1) * truth).sum(1, keepdim=True)

    def overlaps(logits):
        p = torch.softmax(logits, 1)
        return (p * truth * region).sum((0, 2, 3)), ((p + truth) * region).sum((0, 2, 3))

    cross_entropy = (surprise(heads[0]) * region).sum() / count
    both, total = overlaps(heads[1])
    dice = 1 - ((2 * both + smooth) / (total + smooth)).mean()
    nll = surprise(heads[2])
    focal = ((1 - torch.exp(-nll)) ** 2 * nll * region).sum() / count
    both, total = overlaps(heads[3])
    iou = 1 - ((both + smooth) / (total - both + smooth)).mean()
    return (cross_entropy + dice + focal + iou) / 4


class Task:
    def __init__(self, folder):
        self.folder = Path(folder)
        task = json.loads((self.folder / "task.json").read_text())
        torch.set_num_threads(task["threads"])
        self.table = task["table"]
        flat = np.fromfile(self.folder / "weights.f32", dtype="<f4")
        parameters = {}
        for row in self.table:
            values = flat[row["offset"] : row["offset"] + math.prod(row["shape"])].reshape(row["shape"])
            parameters[row["name"]] = torch.from_numpy(values.copy()).requires_grad_()
        self.student = Student(task["config"], parameters)
        self.inputs = {name: read(self.folder / f"{name}.f32", shape) for name, shape in task["inputs"].items()}
        self.dropout = [self.inputs[f"dropout{level}"] for level in range(len(task["config"]["channels"]))]
        leaves = list(parameters.values())
        self.optimiser = torch.optim.AdamW(leaves, 1e-3, (0.9, 0.999), 1e-8, 1e-4)
        self.leaves, self.ema = leaves, [leaf.detach().clone() for leaf in leaves]

    def loss(self):
        heads = self.student(self.inputs["image"], self.dropout)
        return supervised_loss(heads, self.inputs["truth"], self.inputs["region"])

    def check(self):
        loss = self.loss()
        loss.backward()
        assert self.student.used == set(self.student.parameters), "parameters that the network does not use"
        zeros = torch.zeros(1)
        gradient = [(p.grad if p.grad is not None else zeros.expand(p.shape)).flatten() for p in self.leaves]
        torch.cat(gradient).numpy().astype("<f4").tofile(self.folder / "gradient.f32")
        probabilities, _ = self.forward()
        probabilities.numpy().astype("<f4").tofile(self.folder / "probabilities.f32")
        return loss.item()

    def step(self):
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_mul_(self.ema, 0.99)
            torch._foreach_add_(self.ema, self.leaves, alpha=0.01)
        return loss.item()

    def forward(self):
        with torch.inference_mode():
            p = torch.softmax(torch.stack(self.student(self.inputs["image"])).mean(0), 1)
            return p, (p * (p + 1e-8).log()).sum(1, keepdim=True) / -math.log(p.shape[1])


def main():
    command, folder = sys.argv[1:]
    task = Task(folder)
    if command == "check":
        print(json.dumps({"loss": task.check()}))
        return
    runs = {"step": task.step, "forward": task.forward}
    for line in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        runs[line.strip()]()
        spent, cpu_spent = time.perf_counter() - started, time.process_time() - cpu
        print(json.dumps({"ms": 1000 * spent, "cpuMs": 1000 * cpu_spent}), flush=True)


main()
