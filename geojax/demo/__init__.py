"""The demonstration: two networks that were trained separately are merged into one."""
