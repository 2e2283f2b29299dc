"""Files that the commands read and write: checkpoints, user code, outputs."""
