"""`python3 Benchmarks/gpu/gpu_test.py`: the floors, the tables, and how a driver is found, without a GPU."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from suite.measure import Failure, Result  # noqa: E402

from gpu import driver, tables, work  # noqa: E402

# Prints what the manifest in VK_DRIVER_FILES, or none, makes the loader see.
FAKE = """#!/bin/sh
case "$VK_DRIVER_FILES" in
'') {plain} ;;
*nvidia*) echo '[{{"name": "A GPU", "type": "discrete GPU"}}]' ;;
*) echo 'no such driver' >&2; exit 1 ;;
esac
"""
NONE = "echo 'no Vulkan driver is found' >&2; exit 1"
SOFTWARE = 'echo \'[{"name": "llvmpipe", "type": "processor"}]\''


class FloorTests(unittest.TestCase):
    def test_the_floors_of_sce_are_the_sizes_multiplied_out(self) -> None:
        parts = {part.what: part.flops for part in work.products(work.FULL[0])}
        self.assertAlmostEqual(parts["B·Xᵀ"], 2 * 640 * 102_400 * 64)
        self.assertAlmostEqual(parts["B·Yᵀ"], 2 * 640 * 1_000_000 * 64)
        self.assertAlmostEqual(parts["blocks forward"], 2 * 640 * 640 * 256 * 64)
        # Three products for each token that wins somewhere: at most 10.1 GFLOP.
        backward = sum(flops for what, flops in parts.items() if "winners" in what)
        self.assertAlmostEqual(backward, 6 * 102_400 * 256 * 64)

    def test_every_size_has_work_that_is_needed_and_a_title(self) -> None:
        for size in [*work.FULL, *work.SMALL]:
            self.assertIn(size.kind, work.TITLES)
            self.assertGreater(
                sum(p.flops for p in work.products(size) if p.is_needed), 0
            )


class TableTests(unittest.TestCase):
    def test_a_failure_stands_in_the_table_with_its_reason(self) -> None:
        size = work.FULL[2]
        ours = Result(
            "Shortlist", "", 0.02, (0.01, 0.03), 5.0, True, False, {"workspace_mib": 2}
        )
        failures = {"F.cross_entropy": Failure("CUDA out of memory")}
        text = "\n".join(tables.compared([(size, [ours], failures)]))
        self.assertIn("| F.cross_entropy | | CUDA out of memory |", text)
        # 6·N·C·d useful operations in 20 ms.
        self.assertIn(f"{6 * 8192 * 262144 * 64 / 0.02 * 1e-12:.3g}", text)


class DriverTests(unittest.TestCase):
    def find(self, plain: str, known: dict[str, str]) -> driver.Vulkan:
        """What is found where the loader prints `plain` without a manifest and the system has the libraries `known`."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "bin" / "device-limits"
            program.parent.mkdir()
            program.write_text(FAKE.format(plain=plain))
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            with (
                mock.patch.object(driver, "libraries", lambda: known),
                mock.patch.dict(os.environ),
            ):
                for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
                    os.environ.pop(name, None)
                found = driver.find(Path(folder), Path(folder) / "out", None)
                written = found.environment.get("VK_DRIVER_FILES")
                if written:
                    manifest = json.loads(Path(written).read_text())
                    self.assertIn(manifest["ICD"]["library_path"], known.values())
                return found

    def test_a_vendors_library_without_a_manifest_gets_one(self) -> None:
        known = {
            "libvulkan.so.1": "/x/libvulkan.so.1",
            "libGLX_nvidia.so.0": "/x/libGLX_nvidia.so.0",
        }
        for plain in (NONE, SOFTWARE):
            self.assertTrue(self.find(plain, known).has_gpu)

    def test_a_software_device_is_found_where_there_is_nothing_else(self) -> None:
        found = self.find(SOFTWARE, {"libvulkan.so.1": "/x/libvulkan.so.1"})
        self.assertFalse(found.has_gpu)
        self.assertEqual(found.devices[0]["name"], "llvmpipe")

    def test_the_loader_that_came_along_is_used_where_the_system_has_none(self) -> None:
        found = self.find(SOFTWARE, {})
        self.assertIn("/loader", found.environment["LD_LIBRARY_PATH"])

    def test_no_device_at_all_is_an_error_that_says_what_was_tried(self) -> None:
        with self.assertRaisesRegex(driver.NoVulkan, "no Vulkan driver is found"):
            self.find(NONE, {"libvulkan.so.1": "/x/libvulkan.so.1"})


if __name__ == "__main__":
    unittest.main()
