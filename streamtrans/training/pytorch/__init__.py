"""Training in PyTorch, on a GPU or a CPU; torch is first imported here, and whoever lacks it is told so in a line."""

import re

from streamtrans.errors import UsageError

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    raise UsageError("this needs PyTorch: pip install torch") from error

__all__ = ["F", "chosen_device", "chosen_dtype", "torch"]


def chosen_device(name: str) -> torch.device:
    """The device of a configuration; "auto" is the GPU if there is one. UsageError for one that is not there."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"device is {name!r}; it must be auto, cpu, cuda, cuda:1 or mps")
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    if name == "auto":
        name = next(kind for kind, count in there.items() if count)
    device = torch.device(name)
    if (device.index or 0) >= there[device.type]:
        found = ", ".join(f"{count} {kind}" for kind, count in there.items() if count)
        raise UsageError(f"device={name}, but PyTorch {torch.__version__} finds only {found} here; try device=auto")
    return device


def chosen_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type of activations; "auto" is bf16, but f32 on a CPU without instructions for bf16: ten times faster."""
    if precision == "auto":
        names = "avx512_bf16", "amx_bf16", "bf16"
        native = device.type != "cpu" or any(torch.cpu.get_capabilities().get(name) for name in names)
        precision = "bfloat16" if native else "float32"
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[precision]
