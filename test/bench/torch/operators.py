"""The tensor vocabulary in PyTorch, in double precision: recorded calls on given operands, their result and gradients.

stdin: [{operands: [{shape, values}], calls: [{operator, arguments}], weighting: [...] or null}, ...]. An argument
{tensor: n} is operand n, or the result of a call, numbered on from there; the result of the last call counts.
stdout: [{shape, values, gradients}, ...], the gradients those of sum(weighting * result), one an operand.
"""

import json
import sys

import torch
import torch.nn.functional as F


def pick(x, flat, cubic):
    return flat if x.dim() == 4 else cubic


def conv(x, weight, bias):
    halo = [(size - 1) // 2 for size in weight.shape[2:]]
    return pick(x, F.conv2d, F.conv3d)(x, weight, bias, padding=halo)


def conv_down(x, weight, bias):
    return pick(x, F.conv2d, F.conv3d)(x, weight, bias, stride=weight.shape[2:])


def conv_up(x, weight, bias):
    return pick(x, F.conv_transpose2d, F.conv_transpose3d)(x, weight, bias, stride=2)


def over(reduce):
    return lambda x, axes, keep: reduce(x, axes if axes is not None else list(range(x.dim())), bool(keep))


OPERATORS = {
    "constant": lambda values, shape: torch.tensor(values, dtype=torch.float64).reshape(shape),
    "scalar": lambda value: torch.tensor(float(value)),
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "neg": torch.neg,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "sigmoid": torch.sigmoid,
    "relu": F.relu,
    "leakyRelu": F.leaky_relu,
    "gelu": F.gelu,
    "softmax": torch.softmax,
    "logSoftmax": torch.log_softmax,
    "sum": over(torch.sum),
    "mean": over(torch.mean),
    "lessEqual": lambda a, b: (a <= b).double(),
    "greater": lambda a, b: (a > b).double(),
    "oneHotArgmax": lambda x, axis: torch.zeros_like(x).scatter(axis, x.argmax(axis, keepdim=True), 1),
    "stopGradient": torch.Tensor.detach,
    "reshape": torch.reshape,
    "transpose": torch.permute,
    "concat": torch.cat,
    "slice": lambda x, axis, start, end: x.narrow(axis, start, end - start),
    "matmul": torch.matmul,
    "conv": conv,
    "convDown": conv_down,
    "convUp": conv_up,
    "maxPool2": lambda x: pick(x, F.max_pool2d, F.max_pool3d)(x, 2),
    "avgPool": lambda x, factor: pick(x, F.avg_pool2d, F.avg_pool3d)(x, factor),
    "upsample2": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    "instanceNorm": lambda x, scale, bias: F.instance_norm(x, weight=scale, bias=bias, eps=1e-5),
    "layerNorm": lambda x, scale, bias, eps: F.layer_norm(x, x.shape[-1:], scale, bias, 1e-5 if eps is None else eps),
}
# Arguments that a caller may leave out.
COUNTS = {"sum": 3, "mean": 3, "conv": 3, "convDown": 3, "convUp": 3, "instanceNorm": 3, "layerNorm": 4}


def answer(case):
    operands = [OPERATORS["constant"](**operand).requires_grad_() for operand in case["operands"]]
    known = list(operands)

    def resolve(argument):
        if isinstance(argument, dict):
            return known[argument["tensor"]]
        return [resolve(item) for item in argument] if isinstance(argument, list) else argument

    for call in case["calls"]:
        arguments = [resolve(argument) for argument in call["arguments"]]
        missing = [None] * (COUNTS.get(call["operator"], 0) - len(arguments))
        known.append(OPERATORS[call["operator"]](*arguments, *missing))
    result = known[-1]
    gradients = []
    if case["weighting"] is not None:
        (result.flatten() * torch.tensor(case["weighting"])).sum().backward()
        gradients = [x.grad.flatten().tolist() for x in operands]
    return {"shape": list(result.shape), "values": result.flatten().tolist(), "gradients": gradients}


torch.set_default_dtype(torch.float64)
json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
