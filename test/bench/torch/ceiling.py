"""What a GPU reaches at most: prints {"device", "copyGBs", "fp32Tflops", "tf32Tflops"}, medians of 9 after 3 to warm up.

Copy: 4 GiB within its memory, read and written bytes counted. Products: two 8192 x 8192 matrices of random numbers.
"""

import json

import torch

SIDE = 8192


def seconds(work):
    times = []
    for turn in range(12):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        if turn >= 3:
            times.append(start.elapsed_time(end) / 1000)
    return sorted(times)[len(times) // 2]


def product(a, b, tf32):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    return 2 * SIDE**3 / seconds(lambda: a @ b) / 1e12


source = torch.randn(2**30, device="cuda")
target = torch.empty_like(source)
copied = 2 * source.numel() * source.element_size() / seconds(lambda: target.copy_(source)) / 1e9
a, b = (torch.randn(SIDE, SIDE, device="cuda") for _ in range(2))
found = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "copyGBs": copied}
print(json.dumps({**found, "fp32Tflops": product(a, b, False), "tf32Tflops": product(a, b, True)}))
