"""A student and a step of its training in PyTorch, to compare the engine with.

run.py check FOLDER           writes gradient.f32 and probabilities.f32, prints {"loss": ...}; in double precision
run.py serve FOLDER [DEVICE]  answers each line "step" or "forward" on stdin with {"ms": ...}, "count step" and "count
                              forward" with {"ms": ..., "gflop": ...}. DEVICE: cpu, cuda, or cuda-tf32, whose products
                              are of numbers with 10 bits after the point

FOLDER holds task.json (architecture and its sizes, which loss by which rule, table and shapes of the inputs, threads) and
little-endian float32 files: weights.f32, the flat vector in the order of the table, and NAME.f32 for each input.
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from losses import entropy
from stages import collaboration_loss, consult, pretraining_loss, supervised_loss
from student_2d import Unet
from student_3d import Vnet

STUDENTS = {"prob-unet-2d": Unet, "prob-vnet-3d": Vnet}
LOSSES = {"supervised": supervised_loss, "pretraining": pretraining_loss, "collaboration": collaboration_loss}


class Task:
    def __init__(self, folder, device="cpu"):
        self.folder, self.device = Path(folder), torch.device(device)
        task = json.loads((self.folder / "task.json").read_text())
        torch.set_num_threads(task["threads"])
        self.loss_of, self.rule = LOSSES[task["loss"]], task["rule"]
        flat = self.read("weights", [-1])
        named = {row["name"]: flat[row["offset"] :][: math.prod(row["shape"])].reshape(row["shape"]) for row in task["table"]}
        leaves = {name: values.clone().requires_grad_() for name, values in named.items()}
        make = STUDENTS[task["architecture"]["network"]]
        self.student, self.leaves = make(task["config"], leaves), list(leaves.values())
        self.teacher = make(task["config"], {name: values.clone() for name, values in named.items()})
        self.inputs = {name: self.read(name, shape) for name, shape in task["inputs"].items()}
        self.optimiser = torch.optim.AdamW(self.leaves, 1e-3, (0.9, 0.999), 1e-8, 1e-4)

    def read(self, name, shape):
        values = np.fromfile(self.folder / f"{name}.f32", dtype="<f4").reshape(shape)
        return torch.from_numpy(values).to(self.device, torch.get_default_dtype())

    def write(self, name, tensor):
        tensor.detach().numpy().astype("<f4").tofile(self.folder / f"{name}.f32")

    def check(self):
        loss = self.loss_of(self.student, self.inputs, self.rule)
        loss.backward()
        unused = set(self.student.parameters) - self.student.used
        assert not unused, f"parameters that the network does not use: {unused}"
        gradient = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.leaves]
        self.write("gradient", torch.cat([part.flatten() for part in gradient]))
        self.write("probabilities", self.forward()[0])
        return loss.item()

    def step(self):
        """As in training: stage 2 asks its teacher first and draws dropout anew; then loss, gradients, AdamW, EMA."""
        inputs = self.inputs
        if self.loss_of is collaboration_loss:
            unlabelled = inputs["unlabelled"]
            batch, _, *space = unlabelled.shape
            masks = self.student.draw_dropout(batch, space) or []
            asked = consult(self.teacher, unlabelled, self.rule["sliceGate"])
            inputs = {**inputs, **asked, **{f"dropout{level}": mask for level, mask in enumerate(masks)}}
        self.optimiser.zero_grad(set_to_none=True)
        self.loss_of(self.student, inputs, self.rule).backward()
        self.optimiser.step()
        with torch.no_grad():
            ema = list(self.teacher.parameters.values())
            torch._foreach_mul_(ema, 0.99)
            torch._foreach_add_(ema, self.leaves, alpha=0.01)

    def forward(self):
        with torch.inference_mode():
            p = torch.softmax(self.student(self.inputs["images"]).logits, 1)
            return p, entropy(p)


def count(run):
    """10^9 multiplications and additions of convolutions and products; the rest is little beside them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 1e9


def choose(name):
    """Makes a device the one on which tensors are made. Its name for PyTorch."""
    device, _, precision = name.partition("-")
    if device != "cpu":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = True
        torch.set_default_device(device)
    return device


def main():
    command, folder, *rest = sys.argv[1:]
    if command == "check":
        torch.set_default_dtype(torch.float64)
        print(json.dumps({"loss": Task(folder).check()}))
        return
    device = choose(rest[0] if rest else "cpu")
    task = Task(folder, device)
    runs = {"step": task.step, "forward": task.forward}
    for line in sys.stdin:
        *counted, work = line.split()
        started = time.perf_counter()
        answer = {}
        if counted:
            answer["gflop"] = count(runs[work])
        else:
            runs[work]()
        if device != "cpu":
            torch.cuda.synchronize()
        answer["ms"] = 1000 * (time.perf_counter() - started)
        print(json.dumps(answer), flush=True)


main()
