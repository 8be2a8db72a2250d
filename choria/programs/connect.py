"""From configuration to a session: where brokers are, foreign trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography import x509

from choria.errors import ConfigError
from choria.net import (
    Credentials,
    Endpoints,
    SrvEndpoints,
    StaticEndpoints,
    TlsConnector,
    parse_endpoint,
)

from . import new_rng


def endpoints_from(brokers: Sequence[str], srv_domain: str) -> Endpoints:
    """Where brokers are: the list, or DNS when the list is empty.

    Raises:
        ConfigError: Neither is configured, or an address is malformed.
    """
    if brokers:
        return StaticEndpoints([parse_endpoint(broker) for broker in brokers], rng=new_rng())
    if srv_domain:
        return SrvEndpoints(srv_domain, rng=new_rng())
    raise ConfigError(
        'no broker is configured: set brokers = ["host:7422"] or srv_domain, or give --broker host:7422'
    )


def connector_from(
    credentials: Credentials | Callable[[], Credentials], brokers: Sequence[str], srv_domain: str
) -> TlsConnector:
    """A way to reach a broker as ``credentials``, or as those that a function says are in force."""
    return TlsConnector(endpoints_from(brokers, srv_domain), credentials)


def foreign_issuers(networks: Mapping[str, Path]) -> dict[str, tuple[x509.Certificate, ...]]:
    """The issuers of foreign networks' members, by network.

    Raises:
        ConfigError: A file is missing or holds no certificate.
    """
    return {network: _certificates(network, path) for network, path in networks.items()}


def _certificates(network: str, path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as exc:
        raise ConfigError(f"networks.{network}: {path}: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(f"networks.{network}: {path} holds no certificate in PEM: {exc}") from exc
