"""What is recorded of PyTorch does what the function does, with fewer operations."""

import numpy as np
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from kgen.step._torch_record import Recorder, simplify

aten = torch.ops.aten


class Variable:
    """Holds a tensor as Keras's variables do, and tells of every look at it."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor, self.looks = tensor, 0

    @property
    def _value(self) -> torch.Tensor:
        self.looks += 1
        return self.tensor


def variable(*shape: int) -> Variable:
    return Variable(draw(*shape))


def draw(*shape: int) -> torch.Tensor:
    """Draw a tensor, another one each time."""
    draw.calls += 1
    return torch.from_numpy(np.random.default_rng(draw.calls).normal(size=shape)).float()


draw.calls = 0


def counted(function):
    """Count a function's calls, in its attribute `calls`."""

    def wrapper(*arguments):
        wrapper.calls += 1
        return function(*arguments)

    wrapper.calls = 0
    return wrapper


class TestRecorder:
    def test_calls_the_function_once_for_each_shape_and_dtype(self):
        function = counted(lambda values, x: {"y": [x * 2 + values[0]]})
        recorder = Recorder(function, [variable(3)])
        for shape in [(2, 3), (2, 3), (4, 3), (2, 3), (4, 3)]:
            x = draw(*shape)
            torch.testing.assert_close(
                recorder(x)["y"][0], x * 2 + recorder.variables[0].tensor, rtol=0, atol=0
            )
        assert function.calls == 2
        recorder(draw(2, 3).double())
        assert function.calls == 3

    def test_arguments_may_be_nested_and_missing(self):
        recorder = Recorder(lambda values, x, labels, noise: (x + noise["z"], labels), [])
        for _ in range(2):
            x, z = draw(2), draw(2)
            total, labels = recorder(x, None, {"z": z})
            assert labels is None
            torch.testing.assert_close(total, x + z)

    def test_reads_the_variables_that_matter_at_every_call(self):
        used, idle = variable(2), variable(2)
        recorder = Recorder(lambda values, x: x * values[1], [idle, used])
        recorder(draw(2))
        used.looks = idle.looks = 0
        used.tensor = draw(2)
        x = draw(2)
        torch.testing.assert_close(recorder(x), x * used.tensor)
        assert (used.looks, idle.looks) == (1, 0)

    def test_gradients_are_recorded(self):
        def gradient(values, x):
            with torch.enable_grad():
                w = values[0].detach().requires_grad_()
                loss = torch.square(torch.tanh(x @ w)).mean()
                return torch.autograd.grad(loss, [w])[0]

        function = counted(gradient)
        recorder = Recorder(function, [variable(3, 4)])
        for _ in range(3):
            x = draw(5, 3)
            y = torch.tanh(x @ recorder.variables[0].tensor)
            by_hand = x.T @ (2 * y * (1 - y * y) / y.numel())
            torch.testing.assert_close(recorder(x), by_hand, rtol=1e-5, atol=1e-6)
        assert function.calls == 1

    @pytest.mark.parametrize(
        "draws",
        [
            lambda x: x + torch.randn(x.shape),
            lambda x: F.dropout(x, 0.5),
            lambda x: x + torch.rand(2, generator=torch.Generator().manual_seed(int(x.sum()))),
        ],
    )
    def test_what_draws_is_called_every_time(self, draws):
        function = counted(lambda values, x: draws(x))
        recorder = Recorder(function, [])
        results = {tuple(recorder(torch.full((2,), float(i))).tolist()) for i in range(1, 9)}
        assert len(results) > 1
        assert function.calls >= 8

    def test_what_looks_at_a_value_is_called_every_time(self):
        recorder = Recorder(lambda values, x: x if x.sum() > 0 else -x, [])
        for sign in (1.0, -1.0, 1.0):
            assert recorder(torch.full((2,), sign)).tolist() == [1.0, 1.0]

    def test_what_changes_an_argument_is_called_every_time(self):
        def change(values, x):
            return x.add_(1.0)

        recorder, x = Recorder(change, []), torch.zeros(2)
        for _ in range(3):
            recorder(x)
        assert x.tolist() == [3.0, 3.0]

    def test_what_changes_a_view_of_an_argument_is_called_every_time(self):
        function = counted(lambda values, x: x.view(-1).mul_(2.0))
        recorder = Recorder(function, [])
        recorder(torch.ones(2))
        x = torch.ones(2)
        recorder(x)
        assert x.tolist() == [2.0, 2.0]

    def test_what_changes_its_own_tensor_only_is_recorded(self):
        # As Keras's batch normalisation: what was there before the change is used as well.
        def normalised(values, x):
            centred = x - x.mean(0)
            before = centred * 3
            return centred.mul_(2.0).add_(1.0) + before

        function = counted(normalised)
        recorder = Recorder(function, [])
        for _ in range(3):
            x = draw(4, 2)
            torch.testing.assert_close(recorder(x), 5 * (x - x.mean(0)) + 1, rtol=1e-5, atol=1e-5)
        assert function.calls == 1

    def test_a_change_that_a_view_shows_is_not_recorded(self):
        def shown(values, x):
            own = x * 1.0
            view = own.view(-1)
            own.mul_(2.0)
            return view + 0.0

        function = counted(shown)
        recorder = Recorder(function, [])
        for _ in range(3):
            x = draw(2, 2)
            torch.testing.assert_close(recorder(x), (2 * x).view(-1))
        assert function.calls == 4

    @pytest.mark.parametrize("copy", [torch.clone, lambda x: x.clone().view(-1)])
    def test_a_copy_that_is_returned_stays_a_copy(self, copy):
        recorder = Recorder(lambda values, x: (copy(values[0]), x + 1.0), [variable(3)])
        for _ in range(2):
            copied, _ = recorder(draw(2))
            before = copied.clone()
            recorder.variables[0].tensor.add_(1.0)
            assert torch.equal(copied, before)

    def test_errors_of_the_function_are_raised(self):
        recorder = Recorder(lambda values, x: x @ x, [])
        with pytest.raises(RuntimeError, match="cannot be multiplied"):
            recorder(draw(2, 3))


def simplified(function, *tensors):
    """Record a function, simplify it, compare the two on other numbers; returns its operations."""
    module = make_fx(function)(*tensors)
    simplify(module)
    module.graph.lint()
    module.recompile()
    others = [draw(*t.shape).to(t.dtype) for t in tensors]
    results, expected = module(*others), function(*others)
    torch.testing.assert_close(results, expected, rtol=1e-5, atol=1e-5)
    return [node.target for node in module.graph.nodes if node.op == "call_function"]


def picture(size: int = 6, channels: int = 4) -> torch.Tensor:
    """Draw two pictures (batch, height, width, channels)."""
    return draw(2, size, size, channels)


def keras_convolution(x, kernel, bias):
    """Convolve as Keras does: into one order of memory and back, the bias added after."""
    x = x.permute(0, 3, 1, 2).contiguous().to(memory_format=torch.channels_last)
    kernel = kernel.permute(3, 2, 0, 1).to(memory_format=torch.channels_last)
    return F.conv2d(x, kernel, padding=1).permute(0, 2, 3, 1) + bias.view(1, 1, 1, -1)


class TestSimplify:
    def test_a_convolution_has_its_bias_and_no_copy_of_the_picture(self):
        ops = simplified(keras_convolution, picture(), draw(3, 3, 4, 8), draw(8))
        assert aten.add.Tensor not in ops
        assert ops.count(aten.clone.default) == 1  # the kernel's

    def test_its_gradients_stay(self):
        def gradients(x, kernel, bias):
            with torch.enable_grad():
                leaves = [t.detach().requires_grad_() for t in (x, kernel, bias)]
                loss = torch.square(keras_convolution(*leaves)).mean()
                return torch.autograd.grad(loss, leaves)

        ops = simplified(gradients, picture(), draw(3, 3, 4, 8), draw(8))
        assert aten.convolution_backward.default in ops

    @pytest.mark.parametrize("shape", [(5, 3), (2, 4, 4, 3)])
    def test_a_product_has_its_bias(self, shape):
        ops = simplified(lambda x, w, b: x @ w + b, draw(*shape), draw(3, 7), draw(7))
        assert aten.addmm.default in ops
        assert aten.mm.default not in ops
        assert aten.add.Tensor not in ops

    @pytest.mark.parametrize(
        "function",
        [
            lambda x, w, b: x @ w + b.view(-1, 1),  # one for each row
            lambda x, w, b: (x @ w).T + b,
            lambda x, w, b: (x @ w) + b.double(),
            lambda x, w, b: (x @ w) + 2.0,
            lambda x, w, b: torch.add(x @ w, b, alpha=2),
        ],
    )
    def test_what_is_no_bias_stays(self, function):
        assert aten.mm.default in simplified(function, draw(4, 4), draw(4, 4), draw(4))

    def test_a_product_that_is_used_twice_stays(self):
        def function(x, w, b):
            y = x @ w
            return y + b, y * 2

        assert aten.mm.default in simplified(function, draw(3, 4), draw(4, 4), draw(4))

    def test_equals_are_computed_once(self):
        ops = simplified(lambda x: torch.exp(x + 1) * torch.exp(x + 1), draw(3))
        assert ops.count(aten.exp.default) == 1
        assert ops.count(aten.add.Tensor) == 1

    def test_what_differs_in_sign_or_type_is_not_equal(self):
        ops = simplified(lambda x: (x * 0.0, x * -0.0, x.sum(0, True), x.sum(0, False)), draw(3, 2))
        assert ops.count(aten.mul.Tensor) == 2
        assert ops.count(aten.sum.dim_IntList) == 2

    def test_a_copy_into_another_order_stays(self):
        ops = simplified(lambda x: x.permute(0, 3, 1, 2).contiguous().view(2, -1), picture())
        assert aten.clone.default in ops

    def test_a_means_gradient_is_divided_before_it_is_spread(self):
        def gradient(x):
            with torch.enable_grad():
                leaf = x.detach().requires_grad_()
                moments = leaf.mean((1, 2)) * (leaf * leaf).mean((1, 2))
                return torch.autograd.grad(moments.sum(), leaf)[0]

        module = make_fx(gradient)(picture())
        simplify(module)
        module.recompile()
        sizes = [
            node.meta["val"].numel()
            for node in module.graph.nodes
            if node.target is aten.div.Scalar
        ]
        assert sizes
        assert max(sizes) == 2 * 4
        x = picture()
        torch.testing.assert_close(module(x), gradient(x))

    def test_products_are_added_in_one_pass(self):
        ops = simplified(lambda x, a, c: a * x + c, picture(), draw(2, 1, 1, 4), draw(2, 1, 1, 4))
        assert ops == [aten.addcmul.default]

    @pytest.mark.parametrize(
        "function",
        [
            lambda x, a: torch.add(a, a * x, alpha=2),
            lambda x, a: a * x + 1.0,
            lambda x, a: (a * 2.0) + x,
            lambda x, a: (a * x) + x.double(),
            lambda x, a: [p := a * x, p + a],
            lambda x, a: a[:, :1] * a[:, :1] + x,
        ],
    )
    def test_other_sums_stay(self, function):
        assert aten.add.Tensor in simplified(function, draw(3, 4), draw(3, 4))
