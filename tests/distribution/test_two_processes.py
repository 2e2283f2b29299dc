"""Parameters divided between two processes on one machine."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from geojax.merging import interpolate
from geojax.symmetry import act, weight_matching
from tests.distribution.models import problem

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.full  # what each process computes is tested in test_divided.py
def test_two_processes_align_and_merge_what_neither_holds_whole(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment |= {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1", "PYTHONPATH": str(ROOT)}
    coordinator = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "tests.distribution.two_processes", coordinator]
    running = [
        subprocess.Popen(
            [*command, str(number), str(tmp_path)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for number in range(2)
    ]
    try:
        printed = [process.communicate(timeout=240)[0].decode() for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], "\n".join(printed)

    spec, a, b = problem()
    found = weight_matching(spec, a, b, key=jax.random.key(3))
    want = interpolate(a, act(spec, found.element, b), 0.5)
    for number in range(2):
        with np.load(tmp_path / f"{number}.npz") as got:
            np.testing.assert_allclose(got["objective"], found.objective, rtol=1e-12)
            for name in want:
                np.testing.assert_allclose(got[name], want[name], atol=1e-12)
