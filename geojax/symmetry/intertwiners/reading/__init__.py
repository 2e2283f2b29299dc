"""Representations: specs of data written by hand, and the equivariance of a function read off its program."""
