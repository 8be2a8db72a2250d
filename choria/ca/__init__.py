"""Our own CA: a root that names the network, and an issuer each for brokers, nodes and clients."""

from __future__ import annotations

from .authority import Authority as Authority
from .authority import KeyPair as KeyPair
from .authority import create_authority as create_authority
from .files import CaError as CaError
from .folder import init_ca as init_ca
from .folder import open_ca as open_ca
from .issuing import IssuedKey as IssuedKey
from .issuing import issue as issue
from .issuing import issue_key_in_memory as issue_key_in_memory
