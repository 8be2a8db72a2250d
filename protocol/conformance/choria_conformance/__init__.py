"""Conformance of CWP/1: cases by requirement number, for brokers, nodes and clients.

The suite shares no code with any implementation: encoder, signing, TLS and cases are its own, so
that a mistake of one side is not repeated on the other.
"""

__version__ = "0.1.0"
