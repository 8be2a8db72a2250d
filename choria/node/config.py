"""What a node is told by its configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from choria.net import PuppetConfig, TrustConfig
from choria.trust import GuardLimits

Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]
Authorization: TypeAlias = Literal["action_policy", "rego"]


class AuditConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the audit log is kept.

    Attributes:
        when_unwritable: What becomes of requests while the audit log cannot be written: ``refuse``
            them and say why, or ``run`` them all the same. Either way the node's own log says so,
            and the first line that can be written again says how many decisions are missing.
    """

    when_unwritable: Literal["refuse", "run"] = "refuse"


class NodeConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Configuration of ``choria-trio node``.

    Attributes:
        credentials: Folder made by ``choria-trio ca issue node NAME``, or Puppet's ssl folder, which is looked
            for when this is not set.
        puppet: How Puppet's certificates are used.
        trust: How revocation lists of our own CA are held to.
        brokers: ``host:port`` each; tried in random order.
        srv_domain: Domain whose ``_cwp-broker._tcp`` record names brokers, when ``brokers`` is empty.
        doors: ``host:port`` each, where the node renews its certificate by itself, from two thirds of
            its life on; none: somebody else does.
        renewal_spread_s: Each renewal waits a random part of so many seconds, so that a fleet that
            learns of a new issuer does not ask at once.
        collectives: Collectives that the node is in; the first is its main one.
        policies: Folder with ``<agent>.policy``, ``default.policy`` and ``groups``. Without a file
            that applies, requests are denied.
        authorization: What decides who may do what: ``action_policy``, or ``rego`` with the files
            ``rego/<agent>.rego`` and ``rego/default.rego`` in the same folder; needs choria-trio[rego].
        status_file: Where the node writes every ten seconds how it is, for `choria-trio node status`; when
            this is not set, ``status.json`` in the state folder.
        state: Folder for what survives a restart (the replay guard); one node only.
        audit_log: File that every decision is appended to.
        audit: How it is kept.
        agents: Folders with agents: ``NAME.py`` with a class of ``choria.agents.Agent``, or Choria's
            external agents, ``NAME.json`` beside the program ``NAME``. Looked through while the node runs.
        plugin_config: Folder whose file ``NAME`` holds the settings of the external agent NAME.
        facts: YAML or JSON files, or folders of them, whose facts are laid over all others; later ones win.
        facts_commands: Programs with their arguments that print facts as JSON.
        facter: Whether Facter is asked: ``auto`` where it is installed, ``always``, or ``never``.
        facts_interval_s: Seconds between two collections.
        classes_file: File with a configuration management class a line.
        networks: Networks behind relays whose clients are listened to, by name: PEM file of the
            issuer of that network's clients. Policies know them as ``<network>:choria=<name>``.
        grace_s: Seconds that running actions get when the node stops.
        caller_rate: Requests a second of one caller, in the long run; more are answered "busy".
        caller_burst: How many a caller may send at once, before the rate counts.
        remember: Requests that ran and are remembered while they could be sent again; more are answered "busy".
        remember_caller: Of these, how many of one caller: its rate times the requests' time to live.
        max_running: Actions that run at the same time; more are answered "busy".
        max_running_agent: Of these, how many of one agent, so that one that hangs leaves places.
    """

    credentials: Path | None = None
    puppet: PuppetConfig = msgspec.field(default_factory=PuppetConfig)
    trust: TrustConfig = msgspec.field(default_factory=TrustConfig)
    brokers: list[str] = []
    srv_domain: str = ""
    doors: list[str] = []
    renewal_spread_s: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 300.0
    collectives: list[str] = msgspec.field(default_factory=lambda: ["choria"])
    policies: Path = Path("/etc/choria-trio/policies")
    authorization: Authorization = "action_policy"
    state: Path = Path("/var/lib/choria-trio")
    status_file: Path | None = None
    audit_log: Path = Path("/var/log/choria-trio/audit.log")
    audit: AuditConfig = msgspec.field(default_factory=AuditConfig)
    agents: list[Path] = msgspec.field(default_factory=lambda: [Path("/etc/choria-trio/agents")])
    plugin_config: Path = Path("/etc/choria-trio/plugin.d")
    facts: list[Path] = []
    facts_commands: list[list[str]] = []
    facter: Literal["auto", "always", "never"] = "auto"
    facts_interval_s: float = 300.0
    classes_file: Path = Path("/opt/puppetlabs/puppet/cache/state/classes.txt")
    networks: dict[str, Path] = {}
    grace_s: float = 5.0
    caller_rate: Annotated[float, msgspec.Meta(gt=0)] = 50.0
    caller_burst: Positive = 200
    remember: Positive = GuardLimits().capacity
    remember_caller: Positive = GuardLimits().caller_quota
    max_running: Positive = 128
    max_running_agent: Positive = 64

    @property
    def status_path(self) -> Path:
        """Where the status file is."""
        return self.status_file or self.state / "status.json"
