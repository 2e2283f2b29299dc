"""PyPI's rebasin on two MLPs: run by the Python of its environment, driven over its standard input.

    python rebasin_peer.py

Answers "match FILE" with the milliseconds of its weight matching of the networks a and b in the file (leaves "a 0 w",
"a 0 b", ...; weights [in, out]) and adds b as it was moved to the file. Tracing the networks is part of the time, as it
is part of its interface; building them is not.
"""

import time

import numpy as np
import torch
from rebasin import PermutationCoordinateDescent
from workers import serve


def network(file, side):
    """Linear layers with relu between them."""
    layers = []
    for k in range(sum(name.startswith(f"{side} ") for name in file) // 2):
        w, b = file[f"{side} {k} w"], file[f"{side} {k} b"]
        linear = torch.nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = torch.tensor(w.T), torch.tensor(b)
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def match(path):
    with np.load(path) as file:
        saved = dict(file)
    a, b = network(saved, "a"), network(saved, "b")
    x = torch.randn(8, saved["a 0 w"].shape[0])
    start = time.perf_counter()
    descent = PermutationCoordinateDescent(a, b, x)
    descent.rebasin()
    milliseconds = 1e3 * (time.perf_counter() - start)
    for k, layer in enumerate(b[::2]):
        saved[f"moved {k} w"] = layer.weight.detach().numpy().T
        saved[f"moved {k} b"] = layer.bias.detach().numpy()
    np.savez(path, **saved)
    return milliseconds


if __name__ == "__main__":
    serve(lambda word: match(word.removeprefix("match ")), "rebasin", "torch")
