"""What all packages are built on; private."""
