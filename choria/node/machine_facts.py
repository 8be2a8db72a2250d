"""Facts of the machine that we run on, under Facter's paths (``os.family``, ``memory.system...``).

Only what operators filter on is collected, from psutil, distro and the kernel's files: a few
milliseconds, no program started. All of it blocks, so it runs in a worker thread.
"""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import distro
import psutil

import choria

_FAMILIES: Final = {
    "debian": "Debian", "ubuntu": "Debian",
    "rhel": "RedHat", "fedora": "RedHat", "centos": "RedHat", "amzn": "RedHat",
    "suse": "Suse", "sles": "Suse", "opensuse": "Suse",
    "arch": "Archlinux", "gentoo": "Gentoo", "alpine": "Linux",
}  # fmt: skip
_NAMES: Final = {
    "rhel": "RedHat", "centos": "CentOS", "ol": "OracleLinux", "almalinux": "AlmaLinux",
    "sles": "SLES", "opensuse-leap": "OpenSuSE", "amzn": "Amazon", "arch": "Archlinux",
}  # fmt: skip
_HYPERVISORS: Final = (
    ("kvm", "kvm"), ("qemu", "kvm"), ("vmware", "vmware"), ("virtualbox", "virtualbox"),
    ("xen", "xen"), ("microsoft", "hyperv"), ("amazon", "kvm"), ("google", "gce"),
)  # fmt: skip
_DMI: Final = Path("/sys/class/dmi/id")


def collect_machine_facts() -> dict[str, Any]:
    """Every fact about this machine. A source that fails leaves its facts out, not the others'."""
    facts: dict[str, Any] = {}
    for source in SOURCES:
        try:
            facts |= source()
        except (OSError, ValueError, KeyError, AttributeError, psutil.Error) as wrong:
            facts.setdefault("choria_facts_failed", {})[source.__name__.strip("_")] = str(wrong)
    return facts


def _os() -> dict[str, Any]:
    identity = distro.id()
    name = _NAMES.get(identity) or distro.name().split(" ", maxsplit=1)[0] or platform.system()
    full, major, minor = distro.version(best=True), distro.major_version(), distro.minor_version()
    if identity == "ubuntu":  # Facter's major release of Ubuntu is 22.04, not 22
        major, minor = ".".join(full.split(".")[:2]), ""
    release = {"full": full, "major": major} | ({"minor": minor} if minor else {})
    return {
        "os": {
            "architecture": _debian_architecture(identity),
            "hardware": platform.machine(),
            "name": name,
            "family": os_family(identity, distro.like()),
            "release": release,
            "distro": {
                "id": name,
                "codename": distro.codename().lower(),
                "description": distro.name(pretty=True),
                "release": release,
            },
        }
    }


def os_family(identity: str, like: str) -> str:
    """Facter's ``os.family`` from os-release's ``ID`` and ``ID_LIKE``."""
    for word in (identity, *like.split()):
        if word in _FAMILIES:
            return _FAMILIES[word]
    return platform.system()


def _debian_architecture(identity: str) -> str:
    machine = platform.machine()
    on_debian = os_family(identity, distro.like()) == "Debian"
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine) if on_debian else machine


def _kernel() -> dict[str, Any]:
    release = platform.release()
    version = release.split("-", maxsplit=1)[0]
    return {
        "kernel": platform.system(),
        "kernelrelease": release,
        "kernelversion": version,
        "kernelmajversion": ".".join(version.split(".")[:2]),
    }


def _networking() -> dict[str, Any]:
    hostname = socket.gethostname().split(".", maxsplit=1)[0]
    interfaces = {name: _addresses(found) for name, found in psutil.net_if_addrs().items()}
    fqdn, domain = _domain(hostname)
    primary = _primary(interfaces)
    about = {"hostname": hostname, "fqdn": fqdn, "domain": domain, "interfaces": interfaces}
    chosen = interfaces.get(primary, {})
    about |= {"primary": primary} if primary else {}
    return {
        "networking": about | {key: chosen[key] for key in ("ip", "ip6", "mac") if key in chosen}
    }


def _domain(hostname: str) -> tuple[str, str]:
    """Full name and domain, without asking DNS: a dead resolver must not delay the facts."""
    whole = socket.gethostname()
    if "." not in whole:
        whole = _from_hosts_file(hostname) or hostname
    return whole, whole.partition(".")[2]


def _from_hosts_file(hostname: str) -> str:
    for line in Path("/etc/hosts").read_text(encoding="utf-8", errors="replace").splitlines():
        names = line.partition("#")[0].split()[1:]
        if hostname in names:
            return next((name for name in names if name.startswith(f"{hostname}.")), "")
    return ""


def _addresses(found: list[Any]) -> dict[str, str]:
    keys = {socket.AF_INET: "ip", socket.AF_INET6: "ip6", psutil.AF_LINK: "mac"}
    result: dict[str, str] = {}
    for address in found:
        if key := keys.get(address.family):
            result.setdefault(key, address.address.partition("%")[0])
            if key == "ip" and address.netmask:
                result.setdefault("netmask", address.netmask)
    return result


def _primary(interfaces: Mapping[str, Mapping[str, str]]) -> str:
    """The interface that the outside is reached by: connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        own = probe.getsockname()[0]
    return next((name for name, found in interfaces.items() if found.get("ip") == own), "")


def _processors() -> dict[str, Any]:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "processors": {
            "count": psutil.cpu_count() or 1,
            "physicalcount": psutil.cpu_count(logical=False) or 1,
            "isa": platform.machine(),
            "models": models,
        }
    }


def _memory() -> dict[str, Any]:
    system, swap = psutil.virtual_memory(), psutil.swap_memory()
    about = {"system": _space(system.total, system.available)}
    return {"memory": about | ({"swap": _space(swap.total, swap.free)} if swap.total else {})}


def _space(total: int, available: int) -> dict[str, Any]:
    used = total - available
    return {
        "total_bytes": total,
        "available_bytes": available,
        "used_bytes": used,
        "total": f"{total / 2**30:.2f} GiB",
        "capacity": f"{100 * used / total:.2f}%",
    }


def _uptime() -> dict[str, Any]:
    # Seconds since boot, not a difference of wall clocks, which may have been set meanwhile.
    seconds = int(time.clock_gettime(time.CLOCK_BOOTTIME))
    return {
        "system_uptime": {"seconds": seconds, "hours": seconds // 3600, "days": seconds // 86400}
    }


def _virtual() -> dict[str, Any]:
    return {"virtual": (kind := virtual_kind(_DMI, Path("/"))), "is_virtual": kind != "physical"}


def virtual_kind(dmi: Path, root: Path) -> str:
    """What the machine runs on, from the names that firmware gives and from container marks."""
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/systemd/container").exists():
        return (root / "run/systemd/container").read_text(encoding="utf-8").strip()
    names = [dmi / name for name in ("sys_vendor", "product_name", "bios_vendor")]
    text = " ".join(n.read_text(encoding="utf-8", errors="replace") for n in names if n.exists())
    return next((kind for word, kind in _HYPERVISORS if word in text.lower()), "physical")


def _software() -> dict[str, Any]:
    return {"choria": {"version": choria.__version__, "implementation": "choria-trio"}}


SOURCES: Final[tuple[Callable[[], dict[str, Any]], ...]] = (
    _os, _kernel, _networking, _processors, _memory, _uptime, _virtual, _software,
)  # fmt: skip
"""Each gives some top-level facts."""
