"""Numbers and colours that a group leaves alone, and tell orbits apart."""
