"""What files are worth in another place: measured once, written down as a table."""

from collections.abc import Callable

import pytest

from tests.exports.devices.environments import BUILD, Environment, EnvironmentMissing
from tests.exports.devices.measurement import CASES, table


@pytest.fixture(scope="session")
def measured(exported):
    """Return a function that proves every bundle in an environment: name, maker -> what it tells.

    What was measured is in build/devices/NAME.md, for people, whether or not it is good.
    """

    def run(name: str, make: Callable[[], Environment]) -> dict:
        try:
            environment = make()
        except EnvironmentMissing as error:
            pytest.fail(str(error))
        told = environment.prove([exported(case).path for case in CASES])
        BUILD.mkdir(parents=True, exist_ok=True)
        (BUILD / f"{name}.md").write_text(table(told), encoding="utf-8")
        return told

    return run
