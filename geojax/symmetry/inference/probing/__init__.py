"""The numerical check of a spec: what it draws at random, and the function it evaluates there."""
