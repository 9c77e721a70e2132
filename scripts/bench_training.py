"""Training throughput of a model's shape: forward, backward and AdamW on random tokens, no data, no evaluation.

    python scripts/bench_training.py mlx                         our MLX model with the fast BLAS
    STREAMTRANS_BLAS=off python scripts/bench_training.py mlx    the same on mlx's own BLAS
    python scripts/bench_training.py torch --dtype bfloat16      transformers, in an environment that has it

Prints the median tokens a second. Torch keeps float32 weights and computes in `--dtype`, as mixed precision does.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=["mlx", "torch"])
    parser.add_argument("--model", type=Path, default=Path(__file__).parents[1] / "streamtrans/assets/en-pt")
    parser.add_argument("--dtype", default="float32", help="of torch's computation")
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    ids = np.random.default_rng(0).integers(10, 1000, (options.rows, options.length))
    step = mlx_step(options.model, ids) if options.engine == "mlx" else torch_step(options.model, ids, options.dtype)
    step()
    seconds = []
    for _ in range(options.steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    print(f"{ids.size / statistics.median(seconds):.0f} tokens/s")


def mlx_step(directory, ids):
    import mlx.nn as nn
    from mlx.optimizers import AdamW

    from streamtrans.models.loading import load_checkpoint
    from streamtrans.runtime import mx

    model, optimiser, tokens = load_checkpoint(directory, packed=False).model, AdamW(1e-4), mx.array(ids)

    def loss(model):
        return nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:], reduction="mean")

    graded = nn.value_and_grad(model, loss)

    def step():
        value, gradients = graded(model)
        optimiser.update(model, gradients)
        mx.eval(value, model.parameters(), optimiser.state)

    return step


def torch_step(directory, ids, dtype):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).train()
    optimiser, tokens = torch.optim.AdamW(model.parameters(), 1e-4), torch.tensor(ids)

    def step():
        with torch.autocast("cpu", getattr(torch, dtype), enabled=dtype != "float32"):
            loss = model(tokens, labels=tokens, use_cache=False).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


if __name__ == "__main__":
    main()
