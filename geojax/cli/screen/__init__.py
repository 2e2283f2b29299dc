"""The terminal side of the commands: tables, options, errors."""
