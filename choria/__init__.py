"""choria-trio: ask every machine of a fleet, and let each decide whether it answers."""

__version__ = "0.1.0"
