"""The Vulkan backend from Python: on a device that is named, and where there is no driver.

A software device (lavapipe) will do. The library must have been built with the backend, unless
SHORTLIST_VULKAN=0 says that it was left out.
"""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest
import shortlist
from conftest import PYTHON, in_child, normal, python_environment

LEFT_OUT = os.environ.get("SHORTLIST_VULKAN") == "0"


def listed() -> list[shortlist.Device]:
    return [device for device in shortlist.backends() if device.backend == "vulkan"]


def test_the_list_of_backends_has_vulkan_just_where_it_was_built_in() -> None:
    devices = listed()
    assert bool(devices) is not LEFT_OUT
    assert all(device.available for device in devices), devices


if LEFT_OUT:

    def test_the_name_of_a_backend_that_was_left_out_is_refused(
        rng: np.random.Generator,
    ) -> None:
        with pytest.raises(shortlist.UnknownBackendError, match="'cpu'"):
            shortlist.cross_entropy(
                normal(rng, 3, 4), normal(rng, 5, 4), np.arange(3), backend="vulkan"
            )

else:

    @pytest.mark.parametrize("name", ["cross_entropy", "sce", "rece"])
    def test_a_loss_on_a_device_that_is_named_is_that_of_the_cpu(
        rng: np.random.Generator, name: str
    ) -> None:
        x, y, t = normal(rng, 90, 20), normal(rng, 500, 20), rng.integers(0, 500, 90)
        loss = getattr(shortlist, name)
        options = {} if name == "cross_entropy" else {"seed": 4}
        found, expected = (
            loss(x, y, t, gradients=("hidden", "catalog"), backend=backend, **options)
            for backend in ("vulkan", "cpu")
        )
        assert found.loss == pytest.approx(expected.loss, rel=1e-5)
        for gradient in ("hidden", "catalog"):
            ours, theirs = (
                getattr(result.gradients, gradient) for result in (found, expected)
            )
            assert np.sum((ours - theirs) ** 2) <= 1e-9 * np.sum(theirs**2)
        assert found.report.bytes_uploaded > x.nbytes
        assert expected.report.bytes_uploaded == 0

    def test_top_k_on_a_device_finds_what_the_cpu_finds(
        rng: np.random.Generator,
    ) -> None:
        x = rng.integers(-3, 4, (30, 12)).astype(np.float32)
        y = rng.integers(-3, 4, (400, 12)).astype(np.float32)
        found, expected = (
            shortlist.top_k(x, y, 9, backend=backend) for backend in ("vulkan", "cpu")
        )
        assert np.array_equal(found.ids, expected.ids)
        assert np.array_equal(found.scores, expected.scores)

    def test_a_child_of_a_fork_is_refused_the_devices_of_its_parent_and_has_the_cpu(
        rng: np.random.Generator,
    ) -> None:
        x, y, t = normal(rng, 9, 4), normal(rng, 20, 4), np.arange(9)
        expected = shortlist.cross_entropy(x, y, t, backend="vulkan").loss

        def refused() -> str:
            with pytest.raises(shortlist.BackendUnavailableError, match="fork"):
                shortlist.cross_entropy(x, y, t, backend="vulkan")
            return str(shortlist.cross_entropy(x, y, t).loss)

        assert float(in_child(refused)) == pytest.approx(expected, rel=1e-5)
        assert shortlist.cross_entropy(x, y, t, backend="vulkan").loss == expected

    def test_without_a_driver_the_backend_is_listed_with_the_reason_and_refused() -> (
        None
    ):
        program = """if True:
            import numpy as np, shortlist
            [device] = [d for d in shortlist.backends() if d.backend == "vulkan"]
            assert not device.available and "driver" in device.reason, device
            x, y = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
            t = np.arange(2)
            try:
                shortlist.cross_entropy(x, y, t, backend="vulkan")
            except shortlist.BackendUnavailableError as error:
                assert device.reason in str(error), error
            else:
                raise AssertionError("it ran without a driver")
            assert shortlist.cross_entropy(x, y, t).loss > 1
        """
        nowhere = "/nonexistent"
        done = subprocess.run(
            [PYTHON, "-c", program],
            env=python_environment(VK_DRIVER_FILES=nowhere, VK_ICD_FILENAMES=nowhere),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
