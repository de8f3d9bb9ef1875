"""Finding Vulkan on a machine for computing: often there is a vendor's driver, but no loader, or no manifest that tells
the loader of the driver."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDERS = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/local/nvidia/lib64",
    "/usr/lib/wsl/lib",
]
# The same driver under two names; the second needs no libraries for windows.
NVIDIA = ["libGLX_nvidia.so.0", "libEGL_nvidia.so.0"]


class NoVulkan(Exception):
    """Why no device can be used, as a sentence for the user."""


@dataclass(frozen=True)
class Vulkan:
    environment: dict[str, str]
    """For every process that uses the device."""
    how: str
    devices: list[dict]
    """What device-limits printed."""

    @property
    def has_gpu(self) -> bool:
        return any(device["type"] != "processor" for device in self.devices)


def libraries() -> dict[str, str]:
    """Shared libraries that the system's linker knows, and those in the usual folders of drivers."""
    found: dict[str, str] = {}
    try:
        listing = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True)
        lines = listing.stdout.splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        if "=>" in line and ("x86-64" in line or "libc6" not in line):
            name, path = line.split("=>")
            found.setdefault(name.split()[0], path.strip())
    for folder in FOLDERS:
        for name in ["libvulkan.so.1", *NVIDIA]:
            path = Path(folder) / name
            if path.exists():
                found.setdefault(name, str(path))
    return found


def look(root: Path, environment: dict[str, str], how: str) -> Vulkan | str:
    """What the loader finds in an environment, or why nothing."""
    done = subprocess.run(
        [str(root / "bin" / "device-limits")],
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode != 0:
        return f"{how}: {done.stderr.strip() or f'exit code {done.returncode}'}"
    devices = json.loads(done.stdout)
    return Vulkan(environment, how, devices) if devices else f"{how}: no device"


def attempts(
    root: Path, out: Path, driver: str | None
) -> Iterator[tuple[dict[str, str], str]]:
    """Environments to try, the most ordinary first."""
    known = libraries()
    base = dict(os.environ)
    how = "the system's loader"
    if "libvulkan.so.1" not in known:
        base["LD_LIBRARY_PATH"] = ":".join(
            filter(None, [str(root / "loader"), base.get("LD_LIBRARY_PATH")])
        )
        how = "the loader that came along"

    def with_manifest(path: str) -> dict[str, str]:
        # The second name is that of loaders before 1.3.207.
        return {**base, "VK_DRIVER_FILES": path, "VK_ICD_FILENAMES": path}

    if driver:
        yield with_manifest(driver), f"{how}, {driver}"
        return
    yield base, how
    if "VK_DRIVER_FILES" in base or "VK_ICD_FILENAMES" in base:
        return
    for name in NVIDIA:
        if name in known:
            manifest = out / f"{name.split('.')[0]}.json"
            out.mkdir(parents=True, exist_ok=True)
            manifest.write_text(
                json.dumps(
                    {
                        "file_format_version": "1.0.0",
                        "ICD": {"library_path": known[name], "api_version": "1.3.0"},
                    }
                )
            )
            yield (
                with_manifest(str(manifest.resolve())),
                f"{how}, a manifest for {known[name]}",
            )


def find(root: Path, out: Path, driver: str | None) -> Vulkan:
    """The first environment in which the loader lists a GPU; without one, the first that lists anything.

    - `out`: where a manifest may be written.
    - `driver`: a manifest to take instead of looking.
    """
    said: list[str] = []
    software: Vulkan | None = None
    for environment, how in attempts(root, out, driver):
        found = look(root, environment, how)
        if isinstance(found, str):
            said.append(found)
        elif found.has_gpu:
            return found
        else:
            software = software or found
    if software:
        return software
    hint = ""
    if Path("/dev/nvidiactl").exists() and not any(
        name in libraries() for name in NVIDIA
    ):
        hint = (
            "; an NVIDIA GPU is here without its Vulkan library (libGLX_nvidia.so.0): a container needs "
            "NVIDIA_DRIVER_CAPABILITIES=all or graphics"
        )
    raise NoVulkan(f"no Vulkan device: {'; '.join(said)}{hint}")
