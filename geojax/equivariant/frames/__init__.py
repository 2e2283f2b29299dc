"""Frames: from a point, the group elements that bring it to a standard place."""
