"""Peers in processes of their own: a program that takes a word a line on its input and answers with a line of JSON."""

import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from record import THREAD_VARIABLES

SECONDS = 300  # for an answer; a peer that hangs fails the comparison
HERE = Path(__file__).resolve().parent


class Worker:
    """A library in a process of its own: the Python of its environment, a script of this folder and its arguments."""

    def __init__(self, name, python, script, *arguments, folder, inside=False, **environment):
        # A peer starts in another folder than this checkout, which would hide a package of the same name.
        variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        if inside:
            variables["PYTHONPATH"] = str(HERE.parent)
        self.name, self.errors = name, Path(folder) / f"{name}.stderr"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [str(Path(python).absolute()), str(HERE / script), *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=folder,
                env=variables | THREAD_VARIABLES | environment,
            )

    def ask(self, word):
        late = threading.Timer(SECONDS, self.process.kill)
        late.start()
        try:
            print(word, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            late.cancel()
        if not line:
            raise RuntimeError(
                f"{self.name} ended, or gave no answer in {SECONDS} s, at {word!r}:\n{self.errors.read_text()[-3000:]}"
            )
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def serve(answer, *libraries):
    """The other side: each line is answered with `answer(line)`, "versions" with those of the libraries."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    for line in sys.stdin:
        word = line.strip()
        if word == "versions":
            found = {f"{library} (peer)": importlib.metadata.version(library) for library in libraries}
        else:
            found = answer(word)
        print(json.dumps(found), file=answers, flush=True)
