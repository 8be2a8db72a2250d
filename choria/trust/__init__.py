"""Who is it, and did they say it? Principals, chains, COSE signatures, the replay guard.

Pure: bytes and ``now_ms`` in, verdicts out. Every failure is a TrustError whose text says what is
wrong and what to do about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .anchors import ISSUER_OF as ISSUER_OF
    from .anchors import VOUCHES_FOR as VOUCHES_FOR
    from .anchors import IssuerKind as IssuerKind
    from .bundles import AAD_TRUST as AAD_TRUST
    from .bundles import Bundle as Bundle
    from .bundles import bundle_number as bundle_number
    from .bundles import open_bundle as open_bundle
    from .certificates import MAX_CERTIFICATE_BYTES as MAX_CERTIFICATE_BYTES
    from .certificates import Purpose as Purpose
    from .certificates import Validity as Validity
    from .certificates import parse_certificate as parse_certificate
    from .certificates import x509_errors as x509_errors
    from .cose import AAD_REPLY as AAD_REPLY
    from .cose import AAD_REQUEST as AAD_REQUEST
    from .cose import MAX_MESSAGE_BYTES as MAX_MESSAGE_BYTES
    from .cose import Opened as Opened
    from .cose import open1 as open1
    from .cose import sign1 as sign1
    from .credential import MAX_CREDENTIAL_BYTES as MAX_CREDENTIAL_BYTES
    from .credential import MAX_POLICY_BYTES as MAX_POLICY_BYTES
    from .credential import CallLimits as CallLimits
    from .credential import Credential as Credential
    from .credential import header_value as header_value
    from .credential import open_credential as open_credential
    from .credential import parse_patterns as parse_patterns
    from .credential import point_of as point_of
    from .credential import sign_credential as sign_credential
    from .freshness import BeforeBoot as BeforeBoot
    from .freshness import Expired as Expired
    from .freshness import Fresh as Fresh
    from .freshness import Freshness as Freshness
    from .freshness import Future as Future
    from .identifier import Identifier as Identifier
    from .issuers import Identified as Identified
    from .issuers import Issuers as Issuers
    from .issuers import parse_network as parse_network
    from .keys import Algorithm as Algorithm
    from .keys import PrivateKey as PrivateKey
    from .keys import PublicKey as PublicKey
    from .keys import check_public_key as check_public_key
    from .naming import Claim as Claim
    from .naming import Naming as Naming
    from .naming import UriNaming as UriNaming
    from .passes import ends_ms as ends_ms
    from .principals import DEFAULT_GRANTS as DEFAULT_GRANTS
    from .principals import GRANTS_OID as GRANTS_OID
    from .principals import LOGIN_GRANTS as LOGIN_GRANTS
    from .principals import LOGIN_PREFIXES as LOGIN_PREFIXES
    from .principals import Principal as Principal
    from .principals import Role as Role
    from .principals import grants_extension as grants_extension
    from .principals import is_login_name as is_login_name
    from .principals import login_name as login_name
    from .principals import parse_grants as parse_grants
    from .principals import parse_principal_uri as parse_principal_uri
    from .principals import principal_uri as principal_uri
    from .puppet import CLIENT_PATTERNS as CLIENT_PATTERNS
    from .puppet import PuppetNaming as PuppetNaming
    from .puppet_files import PuppetCa as PuppetCa
    from .puppet_files import read_puppet_ca as read_puppet_ca
    from .replay import Entered as Entered
    from .replay import GuardLimits as GuardLimits
    from .replay import ReplayGuard as ReplayGuard
    from .replay import Seen as Seen
    from .revocation import RevocationList as RevocationList
    from .revocation import RevocationPolicy as RevocationPolicy
    from .revocation import Revocations as Revocations
    from .revocation import Revoked as Revoked
    from .revocation import parse_revocation_lists as parse_revocation_lists
    from .signing import Signer as Signer
    from .standing import OlderTrust as OlderTrust
    from .standing import Standing as Standing
    from .standing import parse_standing as parse_standing
    from .standing import standing_of_files as standing_of_files
    from .trust_files import network_of_root as network_of_root
    from .trust_files import parse_bundle as parse_bundle
    from .trust_files import read_issuers as read_issuers
    from .trust_object import MAX_OBJECT_BYTES as MAX_OBJECT_BYTES
    from .trust_object import TrustNumber as TrustNumber
    from .trust_object import TrustObject as TrustObject
    from .trust_object import digest_of as digest_of
    from .trust_object import parse_trust_object as parse_trust_object
    from .verifying import REPLY_ROLES as REPLY_ROLES
    from .verifying import REQUEST_ROLES as REQUEST_ROLES
    from .verifying import Foreign as Foreign
    from .verifying import UnknownCertificate as UnknownCertificate
    from .verifying import VerifiedReply as VerifiedReply
    from .verifying import VerifiedRequest as VerifiedRequest
    from .verifying import Verifier as Verifier
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".anchors": ("ISSUER_OF", "VOUCHES_FOR", "IssuerKind"),
        ".bundles": ("AAD_TRUST", "Bundle", "bundle_number", "open_bundle"),
        ".certificates": ("MAX_CERTIFICATE_BYTES", "Purpose", "Validity", "parse_certificate", "x509_errors"),
        ".cose": ("AAD_REPLY", "AAD_REQUEST", "MAX_MESSAGE_BYTES", "Opened", "open1", "sign1"),
        ".credential": ("MAX_CREDENTIAL_BYTES", "MAX_POLICY_BYTES", "CallLimits", "Credential", "header_value", "open_credential", "parse_patterns", "point_of", "sign_credential"),
        ".freshness": ("BeforeBoot", "Expired", "Fresh", "Freshness", "Future"),
        ".identifier": ("Identifier",),
        ".issuers": ("Identified", "Issuers", "parse_network"),
        ".keys": ("Algorithm", "PrivateKey", "PublicKey", "check_public_key"),
        ".naming": ("Claim", "Naming", "UriNaming"),
        ".passes": ("ends_ms",),
        ".principals": ("DEFAULT_GRANTS", "GRANTS_OID", "LOGIN_GRANTS", "LOGIN_PREFIXES", "Principal", "Role", "grants_extension", "is_login_name", "login_name", "parse_grants", "parse_principal_uri", "principal_uri"),
        ".puppet": ("CLIENT_PATTERNS", "PuppetNaming"),
        ".puppet_files": ("PuppetCa", "read_puppet_ca"),
        ".replay": ("Entered", "GuardLimits", "ReplayGuard", "Seen"),
        ".revocation": ("RevocationList", "RevocationPolicy", "Revocations", "Revoked", "parse_revocation_lists"),
        ".signing": ("Signer",),
        ".standing": ("OlderTrust", "Standing", "parse_standing", "standing_of_files"),
        ".trust_files": ("network_of_root", "parse_bundle", "read_issuers"),
        ".trust_object": ("MAX_OBJECT_BYTES", "TrustNumber", "TrustObject", "digest_of", "parse_trust_object"),
        ".verifying": ("REPLY_ROLES", "REQUEST_ROLES", "Foreign", "UnknownCertificate", "VerifiedReply", "VerifiedRequest", "Verifier"),
    })  # fmt: skip
