"""The distribution's kernel packages: which there are, fetched and unpacked, never installed.

Debian builds several packages from one source, and what was built from different versions of it does not fit together.
So a kernel is taken only if the archive has all of its parts in the same version. The unsigned image is as good as the
signed one here and is published together with the rest; the signed one comes hours later.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.places import SOURCES

APT = str(SOURCES / "apt")


class Kernel:
    """A kernel in the distribution's archive.

    release: what `uname -r` says, for instance "6.12.95+deb12-amd64".
    image: the packages that hold the kernel and its modules, each as "name=version".
    build: the packages that modules are built from (headers, build tools, source), as "name=version".
    """

    def __init__(self, release: str, image: tuple[str, ...], build: tuple[str, ...]) -> None:
        self.release = release
        self.image = image
        self.build = build


def update() -> None:
    """Fetch the archive's lists; raise LabError if it cannot be reached."""
    _apt("get", "-qq", "update")


def newest_kernel() -> Kernel:
    """Return the newest kernel that the archive has complete; raise LabError if there is none."""
    names = _apt("cache", "pkgnames", "linux-").split()
    kernels = [kernel for name in names if (match := _DEBIAN.fullmatch(name)) for kernel in _of_debian(match)]
    kernels += [kernel for name in names if (match := _UBUNTU.fullmatch(name)) for kernel in _of_ubuntu(match)]
    if not kernels:
        raise LabError(
            "the distribution's archive has no kernel 6.8 or later with image, headers and source of one version: "
            "try again when the mirror is complete (`lab/apt get update; lab/apt cache madison linux-source-6.12`)"
        )
    return max(kernels, key=lambda kernel: _numbers(kernel.release))


def fetch(packages: tuple[str, ...], folder: Path) -> list[Path]:
    """Download packages ("name=version") into a folder, unless they are there; return their paths.

    A package that was downloaded before is taken if apt finds its digest right. Raises LabError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for package in packages:
        uri, name, *_ = _apt("get", "--print-uris", "download", package).splitlines()[-1].split()
        _apt("get", "-qq", "download", package, cwd=folder)
        path = folder / name
        if not path.exists():
            raise LabError(f"apt-get downloaded {package} from {uri}, but there is no {path}")
        paths.append(path)
    return paths


def unpack(package: Path, folder: Path, *members: str) -> None:
    """Unpack a package, or only members of it such as "./boot", into a folder; raise LabError if it is damaged."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as archive:
        tar = subprocess.run(
            ["tar", "--extract", "--file=-", f"--directory={folder}", "--no-same-owner", *members],
            stdin=archive.stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
    if tar.returncode != 0 or archive.returncode != 0:
        raise LabError(f"{package} cannot be unpacked: {tar.stderr.strip()}; remove the file and try again")


_DEBIAN = re.compile(r"linux-headers-((\d+\.\d+)\.\d+\+deb\d+)-amd64")
_UBUNTU = re.compile(r"linux-modules-extra-(\d+\.\d+\.\d+-\d+-generic)")


def _of_debian(headers: re.Match[str]) -> list[Kernel]:
    base, series = headers.groups()
    image = (f"linux-image-{base}-amd64-unsigned",)
    build = (headers[0], f"linux-headers-{base}-common", f"linux-kbuild-{base}", f"linux-source-{series}")
    return _complete(f"{base}-amd64", image, build)


def _of_ubuntu(extra: re.Match[str]) -> list[Kernel]:
    # Ubuntu's own modules have all that is wanted, so nothing is built.
    release = extra[1]
    if _numbers(release) < (6, 8):
        return []
    return _complete(release, (f"linux-image-unsigned-{release}", f"linux-modules-{release}", extra[0]), ())


def _complete(release: str, image: tuple[str, ...], build: tuple[str, ...]) -> list[Kernel]:
    """Return the kernel once, or not at all if a package is missing in the version of the others."""
    versions: dict[str, set[str]] = {name: set() for name in (*image, *build)}
    for line in _apt("cache", "madison", *versions).splitlines():
        name, version, _ = (field.strip() for field in line.split("|"))
        versions.get(name, set()).add(version)
    common = set.intersection(*versions.values())
    return [
        Kernel(release, tuple(f"{name}={v}" for name in image), tuple(f"{name}={v}" for name in build))
        for v in sorted(common)[:1]
    ]


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release))


def _apt(command: str, *arguments: str, cwd: Path | None = None) -> str:
    done = subprocess.run([APT, command, *arguments], cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(
            f"`lab/apt {command} {' '.join(arguments)}` failed: {done.stderr.strip()}; is the mirror reachable?"
        )
    return done.stdout
