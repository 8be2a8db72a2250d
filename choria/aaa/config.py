"""What a login service is told by its configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

LivesS = Annotated[int, msgspec.Meta(ge=60, le=86_400)]


class OidcRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What members of one group of the provider's get. The first rule that fits decides.

    Attributes:
        group: A group's name as the provider says it; ``*``: everybody whom the provider knows.
        grants: Rights beside the limits: ``fleet``, ``events``, ``streams-read``.
        allowed: ``agent.action``, ``agent.*`` or ``*`` each.
        policy: File with an ActionPolicy that limits further.
        rego: File with a Rego policy that limits further.
    """

    group: str
    grants: list[str] = msgspec.field(default_factory=lambda: ["fleet"])
    allowed: list[str] | None = None
    policy: Path | None = None
    rego: Path | None = None


class OidcConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An identity provider (OpenID Connect), used by its device flow. Needs choria-trio[oidc].

    Attributes:
        issuer: The provider's address, ``https://...``, exactly as its tokens name it.
        client_id: How the provider knows this service.
        client_secret_file: File with the secret, if the provider gave one; mode 0600.
        scope: What is asked for.
        user_claim: The claim that holds the user's name, which must be a name as certificates have
            them; ``email`` together with ``email_domain`` for addresses.
        email_domain: The one domain whose verified addresses count; the part before the ``@`` is the name.
        groups_claim: The claim that lists groups.
        rules: Who gets what, the first that fits: tables with ``group``, ``grants``, ``allowed``, ``policy``
            and ``rego``. Nobody without a rule gets anything.
    """

    issuer: str
    client_id: str
    client_secret_file: Path | None = None
    scope: str = "openid profile"
    user_claim: str = "preferred_username"
    email_domain: str = ""
    groups_claim: str = "groups"
    rules: list[OidcRule] = []


class AaaConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Configuration of ``choria-trio aaa run``.

    Attributes:
        credentials: Folder of a service's credentials with the grant ``aaa``.
        issuer: Folder with ``issuer.pem``, ``issuer.key`` and the index of what was issued.
        users: File with the users who have a password.
        socket: Where doors reach this service: what ``enrol.logins`` of a broker names.
        audit_log: File that every decision is appended to.
        lives_s: Seconds that a login holds, 60 to 86400.
        oidc: An identity provider, for logins that are approved there.
    """

    credentials: Path
    issuer: Path
    users: Path
    socket: Path
    audit_log: Path
    lives_s: LivesS = 28_800
    oidc: OidcConfig | None = None
