"""What every sub-package stands on; private."""
