"""What the commands read and write: checkpoints, user code, tensors."""
