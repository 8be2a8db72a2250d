"""The rows of the vectors, as Python values; ``make.py`` writes them as JSON."""
