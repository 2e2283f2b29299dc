"""Ties: where a program chooses among entries of which almost surely no two are equal."""
