"""From what a provider vouches for to a caller and her limits, by the rules in the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from choria.errors import ConfigError, LoginError, TrustError
from choria.trust import LOGIN_GRANTS, MAX_POLICY_BYTES, CallLimits, login_name, parse_patterns

from .config import OidcConfig, OidcRule
from .devices import Recognized
from .minting import Rights


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """Rules that were read and checked when the service began."""

    config: OidcConfig
    rules: tuple[tuple[str, Rights], ...]

    def recognize(self, claims: Mapping[str, Any]) -> Recognized:
        """The caller, and what the first rule that fits gives her. Raises LoginError."""
        name = self._name(claims)
        listed = claims.get(self.config.groups_claim, [])
        groups = (
            {each for each in listed if isinstance(each, str)}
            if isinstance(listed, list)
            else set()
        )
        for group, rights in self.rules:
            if group == "*" or group in groups:
                return Recognized(name=name, rights=rights)
        raise LoginError(f"no rule of the login service gives {name} anything")

    def _name(self, claims: Mapping[str, Any]) -> str:
        claim, domain = self.config.user_claim, self.config.email_domain
        value = claims.get(claim)
        if not isinstance(value, str):
            raise LoginError(f"the provider's claim {claim!r} holds no name")
        if domain:
            value, at, found = value.rpartition("@")
            if not at or found != domain or claims.get("email_verified") is not True:
                raise LoginError(f"the provider vouches for no verified address of {domain}")
        try:
            return login_name("oidc", value)
        except TrustError as error:
            raise LoginError(str(error)) from error


def read_rules(config: OidcConfig) -> ClaimRules:
    """Check the rules and read their files. Raises ConfigError."""
    if config.email_domain and config.user_claim != "email":
        raise ConfigError('oidc.email_domain is for addresses: set user_claim = "email" with it')
    if not config.rules:
        raise ConfigError("oidc has no rules, so nobody would get anything: add [[oidc.rules]]")
    return ClaimRules(config, tuple((rule.group, _rights(rule)) for rule in config.rules))


def _rights(rule: OidcRule) -> Rights:
    where = f"oidc rule for group {rule.group!r}"
    beyond = set(rule.grants) - LOGIN_GRANTS
    if beyond:
        raise ConfigError(f"{where}: {', '.join(sorted(beyond))[:80]} cannot be granted by a login")
    if rule.allowed is None and rule.policy is None and rule.rego is None:
        raise ConfigError(f"{where} has no limits: say what is allowed, such as * or package.*")
    limits = CallLimits(
        allowed=_patterns(rule.allowed, where),
        action_policy=read_policy_file(rule.policy),
        rego=read_policy_file(rule.rego),
    )
    return Rights(grants=tuple(rule.grants), limits=limits)


def _patterns(texts: Sequence[str] | None, where: str) -> tuple[str, ...] | None:
    try:
        return None if texts is None else parse_patterns(list(texts))
    except TrustError as error:
        raise ConfigError(f"{where}: {error}") from error


def read_policy_file(path: Path | None) -> str | None:
    """A policy that fits a credential; None without a path. Raises ConfigError."""
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not 0 < len(text.encode()) <= MAX_POLICY_BYTES:
        raise ConfigError(f"{path}: a policy in a credential has 1 to {MAX_POLICY_BYTES} bytes")
    return text
