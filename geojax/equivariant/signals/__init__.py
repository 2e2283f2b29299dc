"""Layers and resampling for signals on grids."""
