"""The trust object in a CA's folder: what a broker hands on to members (CWP-20.1).

``trust.object`` is put together of ``crl/*.pem`` and of ``bundles/<number>.cose``. Making one needs no
key: the lists were signed by the issuers, the bundles by the root, each when there was a reason to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from choria.errors import TrustError
from choria.trust import (
    Bundle,
    IssuerKind,
    Standing,
    TrustNumber,
    TrustObject,
    network_of_root,
    parse_bundle,
    standing_of_files,
)

from .crl import CRL_FOLDER, read_lists
from .files import PUBLIC_MODE, CaError, create_whole, os_errors, write_folder
from .folder import logins_pem, open_pair

OBJECT_NAME: Final = "trust.object"
BUNDLE_FOLDER: Final = "bundles"
KEPT_BUNDLES: Final = 8
_BUNDLE_NAME: Final = re.compile(r"[0-9]{8}\.cose")


def write_object(folder: Path, now_ms: int) -> tuple[Path, TrustNumber]:
    """Put the object together and write it, once it was judged as a member would judge it.

    Raises:
        CaError: it is no CA's folder, a file is damaged, or members would refuse the object.
    """
    first = _first_standing(folder)
    lists = tuple(_lists(folder))
    path = folder / OBJECT_NAME
    with os_errors(f"read {folder / BUNDLE_FOLDER}"):
        bundles = tuple(each.read_bytes() for each in _bundle_files(folder)[-KEPT_BUNDLES:])
    try:
        data = TrustObject(first.network, bundles, lists).encode()
        after = first.taking(data, now_ms)
    except TrustError as exc:
        raise CaError(f"the trust object of {folder} would be refused by members: {exc}") from exc
    if after.bundle and (after.stores, after.logins) != (first.stores, first.logins):
        # Members would keep the lists of an issuer that is gone here, and find later objects older.
        raise CaError(
            "issuers were added, switched or retired since the root last said who they are: `choria-trio ca bundle` "
            "has it say so, and tells everybody"
        )
    with os_errors(f"write {path}"):
        write_folder(folder, {path.name: (data, PUBLIC_MODE)})
    return path, after.number


def sign_bundle(folder: Path, now_ms: int, *, passphrase: bytes | None = None) -> Path:
    """Have the root say who the issuers are: those in the folder's files, in their order.

    Raises:
        CaError: the root's key is not here, or a file cannot be read or written.
        TrustError: too many issuers for a bundle.
    """
    root = open_pair(folder, "root", passphrase)
    standing = _first_standing(folder)
    number = max((int(path.stem) for path in _bundle_files(folder)), default=0) + 1
    bundle = Bundle(
        standing.network, number, now_ms, (root.certificate,), standing.stores, standing.logins
    )
    path = folder / BUNDLE_FOLDER / f"{number:08d}.cose"
    with os_errors(f"write {path}"):
        if not create_whole(path, bundle.sign(root.certificate, root.key)):
            raise CaError(f"{path} was made by somebody else meanwhile: try again")
    return path


def _first_standing(folder: Path) -> Standing:
    with os_errors(f"read the CA in {folder}"):
        pems = {name: (folder / f"{name}.pem").read_bytes() for name in ("root", *IssuerKind)}
        pem = logins_pem(folder)
    try:
        root = parse_bundle(pems["root"], "root.pem")[0]
        network_of_root(root)
        stores = {kind: parse_bundle(pems[kind], f"{kind}.pem") for kind in IssuerKind}
        logins = parse_bundle(pem, "logins.pem") if pem else ()
        return standing_of_files(root, stores, logins)
    except TrustError as exc:
        raise CaError(f"the CA in {folder} is damaged: {exc}") from exc


def _lists(folder: Path) -> Iterator[bytes]:
    for path in sorted((folder / CRL_FOLDER).glob("*.pem")):
        for each in read_lists(path):
            yield each.public_bytes(Encoding.DER)


def _bundle_files(folder: Path) -> list[Path]:
    found = (folder / BUNDLE_FOLDER).glob("*.cose")
    return sorted(path for path in found if _BUNDLE_NAME.fullmatch(path.name))
