"""The command line is a program: tests/cli runs it."""

CASES = []

DATA = {"main": "the program's entry point, which reads arguments and prints"}
