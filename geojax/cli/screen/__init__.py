"""What the commands show: tables, options, errors."""
