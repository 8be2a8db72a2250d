"""Which nodes are meant: flags, configuration and a command's own defaults joined into one question."""

from __future__ import annotations

import attrs
import trio

from choria.client import ClientConfig, methods
from choria.client.methods import (
    CommandDiscovery,
    DiscoveryConfig,
    Method,
    Wanted,
    check_wanted,
    parse_method,
    parse_options,
)
from choria.errors import ConfigError, UsageError
from choria.filters import Filter
from choria.net import Endpoint, SrvEndpoints, is_puppet_folder
from choria.trust import Role

from . import environment, new_rng
from .identity import credentials_from


@attrs.frozen(kw_only=True)
class Choice:
    """What was typed about discovery; nothing at all leaves it to configuration.

    Attributes:
        nodes: File of names: the flatfile method in one flag.
        options: ``key=value`` each.
        timeout_s: For discovery.
    """

    method: str | None = None
    options: tuple[str, ...] = ()
    nodes: str | None = None
    timeout_s: float | None = None


def choose(command: str, config: ClientConfig, which: Filter, typed: Choice) -> Wanted:
    """Judge which nodes ``command`` means, before anything is sent.

    Raises:
        UsageError: flags that cannot work together, or a method that cannot do what is asked.
    """
    method, options = _method(command, config.discovery, typed)
    own = config.discovery.commands.get(command, CommandDiscovery())
    timeouts = (typed.timeout_s, own.timeout_s, config.discovery_timeout_s)
    return check_wanted(
        Wanted(
            method=method,
            which=which,
            collective=config.collective,
            timeout_s=next(each for each in timeouts if each is not None),
            options=options,
            path=environment().get("PATH", ""),
            puppetdb=lambda: _puppetdb(config, options.get("url", "")),
        )
    )


def _method(command: str, config: DiscoveryConfig, typed: Choice) -> tuple[Method, dict[str, str]]:
    """The method and its options: a flag before the command's default before the general one."""
    given = parse_options(typed.options)
    if typed.nodes is not None:
        if typed.method is not None and parse_method(typed.method) is not Method.FLATFILE:
            raise UsageError(
                f"--nodes is a list of names, and --dm {typed.method} has its own: give one of them"
            )
        if "file" in given:
            raise UsageError("--nodes FILE and --do file=FILE: give one of them")
        return Method.FLATFILE, {**given, "file": typed.nodes}
    own = config.commands.get(command, CommandDiscovery())
    method = parse_method(typed.method or own.method or config.method)
    options = _defaults(method, config)
    for whose, theirs in ((config.method, config.options), (own.method, own.options)):
        # Options belong to the method that they were configured with, and to no other.
        if theirs and parse_method(whose or config.method) is method:
            options |= theirs
    return method, options | given


def _defaults(method: Method, config: DiscoveryConfig) -> dict[str, str]:
    if method is Method.INVENTORY and config.inventory is not None:
        return {"file": str(config.inventory)}
    if method is Method.EXTERNAL and config.external:
        return {"command": config.external}
    if method is Method.PUPPETDB and config.puppetdb.url:
        return {"url": config.puppetdb.url}
    return {}


async def _puppetdb(config: ClientConfig, url: str) -> methods.PuppetDb:
    """Where PuppetDB is and who we are to it. Raises ConfigError for what nobody said."""
    own = config.discovery.puppetdb
    ca, certificate, key = own.ca_file, own.certificate_file, own.key_file
    if ca is None or certificate is None or key is None:
        ours = await trio.to_thread.run_sync(
            lambda: credentials_from(config, Role.CLIENT, brokers=config.brokers)
        )
        certificate, key = certificate or ours.certificate_file, key or ours.key_file
        ca = ca or (ours.folder / "certs/ca.pem" if is_puppet_folder(ours.folder) else None)
    if ca is None:
        raise ConfigError(
            "--dm puppetdb: set ca_file in [discovery.puppetdb] to the PEM file of the CA that vouches for it"
        )
    return methods.PuppetDb(
        servers=await _servers(config, url), ca=ca, certificate=certificate, key=key
    )


async def _servers(config: ClientConfig, url: str) -> tuple[Endpoint, ...]:
    if url:
        return (methods.parse_url(url),)
    if not config.srv_domain:
        raise ConfigError(
            "--dm puppetdb: set url in [discovery.puppetdb], or srv_domain to find it by DNS"
        )
    records = SrvEndpoints(config.srv_domain, rng=new_rng(), service=methods.SRV_SERVICE)
    found = tuple(await records.lookup())
    if not found:
        raise ConfigError(
            f"--dm puppetdb: {records.last_error or f'{methods.SRV_SERVICE}.{config.srv_domain} is empty'}: "
            "set url in [discovery.puppetdb]"
        )
    return found
