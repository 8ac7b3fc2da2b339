"""Stopping, closing, and memory that does not grow."""

from contextlib import contextmanager
from itertools import pairwise

import psutil
import pytest

from tests.web.engine.lab import RUNTIMES

pytestmark = pytest.mark.web


def test_stopping_takes_effect_between_steps(lab):
    code, seen = lab.run(
        """const model = await engine.open('ddpm', { runtime: 'onnxruntime', precision: 'fp16' });
        const stop = new AbortController();
        let seen = 0;
        const onStep = (i) => { seen = i; if (i === 3) stop.abort(); };
        const drawing = model.sample(7, { numSteps: 20, onStep, signal: stop.signal });
        return drawing.then(() => ['none', seen], (error) => [error.code, seen]);"""
    )
    assert code == "aborted"
    assert 3 <= seen < 20
    # What comes after is drawn as ever.
    assert lab.run("return (await (await engine.open('gan')).draw(1)).length;") == 1


def test_what_was_stopped_before_it_began_is_not_begun(lab):
    code, _ = lab.failure(
        "const model = await engine.open('gan');"
        "await model.draw(1, { signal: AbortSignal.abort(), onPicture: () => { throw 1; } });"
    )
    assert code == "aborted"


def test_a_closed_engine_ends_what_it_was_doing(fresh):
    lab = fresh()
    code, _ = lab.failure(
        "const model = await engine.open('ddpm');"
        "const drawing = model.sample(1, { numSteps: 20, onStep: () => engine.close() });"
        "await drawing;"
    )
    assert code == "aborted"
    assert lab.failure("await engine.open('gan');")[0] == "aborted"


def test_a_model_that_two_views_have_open_stays_until_both_close_it(lab):
    drawn = lab.run(
        """const first = await engine.open('gan', { runtime: 'litert', precision: 'fp16' });
        const second = await engine.open('gan', { runtime: 'litert', precision: 'fp16' });
        await first.close();
        return (await second.draw(1)).length;"""
    )
    assert drawn == 1
    code, message = lab.failure(
        "const old = await engine.open('gan', { runtime: 'litert', precision: 'fp16' });"
        "await engine.open('gan', { runtime: 'litert', precision: 'int8' });"
        "await old.draw(1);"
    )
    assert code == "runtime"
    assert "Open it again" in message


GENERATIONS, ROWS, WINDOWS = 200, 64, 4
LEAST_LEAK = GENERATIONS * ROWS * (256 + 8) * 4
"""Bytes of the tensors that go in and come out in that many generations: 13.5 MB."""


def growth(start, runtime, files=None):
    """Return by how many bytes drawing makes the browser's renderers larger, at least."""
    lab = start(files)
    (worker,) = lab.page.workers

    def used():
        # Twice: what a first collection frees may hold on to more.
        for target in (lab.page, worker, lab.page, worker):
            target.evaluate("gc()")
        with _browser_session(lab.page.context.browser) as session:
            found = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return sum(
            psutil.Process(one["id"]).memory_info().rss
            for one in found
            if one["type"] == "renderer"
        )

    draw = f"""const model = await engine.open('gan', {{ runtime, precision: 'fp16' }});
      for (let i = 0; i < times; i++) await model.draw(i, {{ count: {ROWS} }});"""
    lab.run(draw, runtime=runtime, times=40)
    sizes = [used()]
    # A leak shows in every window; allocators that make room for themselves do so in some.
    for _ in range(WINDOWS):
        lab.run(draw, runtime=runtime, times=GENERATIONS)
        sizes.append(used())
        if sizes[-1] - sizes[-2] < LEAST_LEAK / 2:
            break
    return min(after - before for before, after in pairwise(sizes))


@contextmanager
def _browser_session(browser):
    session = browser.new_browser_cdp_session()
    try:
        yield session
    finally:
        session.detach()


@pytest.fixture(scope="session")
def observed(launch):
    """A browser whose garbage can be collected on request."""
    return launch("--js-flags=--expose-gc")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_memory_is_steady_over_200_generations(runtime, fresh, observed):
    def start(files):
        return fresh(files, browser=observed)

    assert growth(start, runtime) < LEAST_LEAK / 2


def test_memory_that_is_not_freed_is_noticed(fresh, observed):
    def leak(script):
        changed = script.replace(b"tensor.delete()", b"tensor.deleted")
        assert changed != script
        return changed

    def start(files):
        return fresh(files, browser=observed)

    assert growth(start, "litert", {"engine/litert.js": leak}) > LEAST_LEAK / 2
