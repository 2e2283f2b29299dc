"""Labels of axes: which axes must move together."""
