"""No group that is read off a random function is false, and none that was planted is lost without a word.

`python -m tests.symmetry.intertwiners.fuzz.test_planted 1000` judges as many functions and counts.
"""

import collections
import sys
import time

import jax
import numpy as np
import pytest

from geojax.symmetry import equivariance
from tests.symmetry.intertwiners.fuzz.judge_maps import false_groups, verdicts
from tests.symmetry.intertwiners.fuzz.planted import planted

SEEDS = range(20)
VERIFIED = (0, 10)


def judged(seed, verify=False):
    """The function of a seed, the groups that are false of it, and what became of what was planted."""
    program = planted(seed)
    random = np.random.default_rng(seed)
    found = equivariance(program, *program.draw(random), verify=verify)
    return program, found, false_groups(program, found, random), verdicts(program, found, random)


@pytest.mark.full
def test_what_is_read_is_true_and_what_was_planted_is_read_or_held_for_a_reason():
    counts = collections.Counter()
    for seed in SEEDS:
        program, found, wrong, answers = judged(seed, verify=seed in VERIFIED)
        assert not wrong, f"{wrong} do not hold in\n{program}\n{found}"
        assert not found.verification or found.verification.passed, f"{program}\n{found}"
        silent = [answer for answer in answers if answer.fate == "silent"]
        assert not silent, f"{silent} in\n{program}\n{found}"
        counts.update(answer.fate for answer in answers)
    assert counts["found"] > 0.8 * counts.total(), counts


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    start, total, bad = time.process_time(), collections.Counter(), []
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for number in range(first, first + int(sys.argv[1])):
        program, found, wrong, answers = judged(number)
        if number % 50 == 49:
            jax.clear_caches()
            print(number + 1, dict(total), flush=True)
        total.update(answer.fate for answer in answers)
        total["groups"] += len(found.groups)
        total["false"] += len(wrong)
        total.update(reason for answer in answers if answer.fate == "held" for reason in answer.reasons)
        if wrong or any(answer.fate == "silent" for answer in answers):
            bad.append(number)
            print(program, found, wrong, answers, sep="\n", flush=True)
        if any(answer.fate == "smaller" for answer in answers):
            total["ridge" if "ridge" in program.names else f"smaller {number}"] += 1
    print(total, bad, time.process_time() - start)
