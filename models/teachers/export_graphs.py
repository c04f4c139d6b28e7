"""What both export scripts share: a model on the CPU, a module as an ONNX file, and the hashes of the files."""

import hashlib
import inspect
import pathlib
import tempfile

import torch

GRAPHS = ("encoder.onnx", "decoder.onnx")


def load_on_cpu(checkpoint, build):
    """The model that `build(checkpoint=...)` makes, whatever device its weights were saved from.

    Reading a checkpoint runs code that it holds: take it from its authors only.
    """
    weights = torch.load(checkpoint, map_location="cpu", weights_only=False)
    weights = weights.get("model_state_dict", weights)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "weights.pth"
        torch.save(weights, path)
        return build(checkpoint=str(path)).float().eval()


def write_graph(path, module, inputs, outputs):
    """Writes a module with fixed shapes. `inputs`: tensors by name, in the order of its arguments."""
    options = {"opset_version": 17, "do_constant_folding": True}
    # Later versions export another way unless told otherwise; that way does not follow hooks.
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    with torch.no_grad():
        expected = module(*inputs.values())
        torch.onnx.export(
            module, tuple(inputs.values()), str(path), input_names=list(inputs), output_names=outputs, **options
        )
    for name, value in zip(outputs, expected):
        print(f"{path.name}: {name} {list(value.shape)}")
    compare(path, inputs, outputs, expected)
    return dict(zip(outputs, expected))


def compare(path, inputs, outputs, expected):
    """Runs the file, where onnxruntime is installed, and stops when it says something else than the model."""
    try:
        import onnxruntime
    except ImportError:
        print(f"{path.name}: written, but not run: onnxruntime is not installed")
        return
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(outputs, {name: value.numpy() for name, value in inputs.items()})
    for name, value, wanted in zip(outputs, found, expected):
        scale = wanted.abs().max().item()
        worst = (torch.from_numpy(value) - wanted).abs().max().item()
        print(f"{path.name}: {name} differs by {worst:.2g} at most, of {scale:.2g}")
        if not worst <= 1e-3 * max(scale, 1):
            raise SystemExit(f"{path.name}: {name} is not what the model says")


def write_sums(folder):
    """SHA256SUMS, as `sha256sum` writes it: the server loads these files and no others."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in GRAPHS]
    (folder / "SHA256SUMS").write_text("".join(lines))
