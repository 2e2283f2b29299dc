"""Files merged, moved and aligned tensor by tensor."""
