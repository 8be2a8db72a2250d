"""A DDL as Python: the source of a module with a typed client. Pure.

Every text of a DDL is a stranger's. None reaches the source but as a literal that Python itself spelt,
as a name made of ASCII letters, digits and underscores, or inside of a docstring that cannot end.
"""

from __future__ import annotations

from .module import client_module

__all__ = ["client_module"]
