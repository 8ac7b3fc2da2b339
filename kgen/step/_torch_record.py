"""PyTorch's operations without the Python that chooses them.

Keras decides in Python which operations to run, and on PyTorch it decides anew in every step: half
of a step's time on a CPU. :class:`Recorder` lets it decide once for each shape, writes down the
operations, those of the gradients too, and runs only them from then on. They are PyTorch's own,
with PyTorch's kernels: nothing is compiled, and nothing but PyTorch is needed.

What is written down is a `torch.fx` graph; :func:`simplify` takes out of it what need not be done.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

aten: Any = torch.ops.aten

Node = Any
"""A `torch.fx.Node`. What its own attributes are declared to be is all that they could be."""


def tensors(variables: Iterable[Any]) -> list[torch.Tensor]:
    """Return the tensors of Keras variables, outside of any scope that would give them others.

    Keras's `value` asks each time in which scope and on which device it is: a millisecond in a step
    that reads a network's variables six times.
    """
    return [variable._value for variable in variables]


class Recorder:
    """A function of variables and tensors, recorded when it first sees the tensors' shapes.

    Like a function under JAX's or TensorFlow's compilers, it may depend on nothing else that
    changes. Where it draws random numbers, looks at a tensor's value or changes a tensor, a
    recording would repeat what was drawn, seen or changed first: then it is called every time.

    Args:
        function: from the variables' values, a list, and tensors in nested lists, tuples and dicts,
            to such tensors.
        variables: whose values it takes; read at every call.
    """

    def __init__(self, function: Callable[..., Any], variables: list[Any]):
        self.function = function
        self.variables = variables
        self.recordings: dict[Any, _Recording | None] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function returns."""
        leaves, structure = pytree.tree_flatten(arguments)
        key = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves if leaf is not None))
        if key not in self.recordings:
            self.recordings[key] = _record(
                self.function, tensors(self.variables), leaves, structure
            )
        recording = self.recordings[key]
        if recording is None:
            return self.function(tensors(self.variables), *arguments)
        values = tensors([self.variables[i] for i in recording.used])
        return recording.module(*values, *(leaf for leaf in leaves if leaf is not None))


@dataclass(frozen=True, slots=True)
class _Recording:
    """A graph of operations.

    Attributes:
        module: the graph, a function of some variables' values and of all tensors.
        used: which of the variables it reads.
    """

    module: fx.GraphModule
    used: list[int]


def _record(
    function: Callable[..., Any],
    values: list[torch.Tensor],
    leaves: list[torch.Tensor | None],
    structure: pytree.TreeSpec,
) -> _Recording | None:
    """Write down what a function does; None where that would not be what it does every time."""

    def flat(*given: torch.Tensor) -> Any:
        tensors = iter(given[len(values) :])
        filled = [None if leaf is None else next(tensors) for leaf in leaves]
        return function(list(given[: len(values)]), *pytree.tree_unflatten(filled, structure))

    try:
        module = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)(
            *values, *(leaf for leaf in leaves if leaf is not None)
        )
    except RuntimeError:
        # It looks at a value. Were it another error, the call would raise it again.
        return None
    if not all(_is_pure(node) or _made_pure(node) for node in _calls(module)):
        return None
    simplify(module)
    places = [node for node in module.graph.nodes if node.op == "placeholder"][: len(values)]
    used = [i for i, place in enumerate(places) if place.users]
    for place in places:
        if not place.users:
            module.graph.erase_node(place)
    module.recompile()
    return _Recording(module, used)


def _calls(module: fx.GraphModule, *targets: Any) -> list[Node]:
    """List the nodes that call an operation, or one of some."""
    calls = [node for node in module.graph.nodes if node.op == "call_function"]
    return [node for node in calls if node.target in targets] if targets else calls


def _is_pure(node: Node) -> bool:
    """Tell whether an operation always makes the same of the same, and changes nothing."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return True  # an element of a tuple
    random = torch.Tag.nondeterministic_seeded in node.target.tags
    return not (random or node.target._schema.is_mutable)


def _made_pure(node: Node) -> bool:
    """Replace an operation that changes a tensor by the one that makes another, if that is safe.

    It is where nobody sees the change but who uses the result: the tensor is another operation's
    own, and was used before only.
    """
    changed = node.args[0] if node.args else None
    if not isinstance(changed, fx.Node) or changed.op != "call_function" or _is_view(changed):
        return False
    if any(_is_view(user) or user > node for user in changed.users if user is not node):
        return False
    name, overload = node.target._schema.name.removeprefix("aten::"), node.target._overloadname
    pure = getattr(getattr(aten, name.removesuffix("_"), None), overload, None)
    if pure is None or pure is node.target:
        return False
    node.target = pure
    return _is_pure(node)


def _is_view(node: Node) -> bool:
    """Tell whether a result may share its memory with an argument."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return True
    shares = any(returned.alias_info is not None for returned in target._schema.returns)
    return shares or target is aten._unsafe_view.default


def simplify(module: fx.GraphModule) -> None:
    """Take out of a graph of pure operations what need not be done; it is not recompiled."""
    _scale_before_spreading(module)
    _merge_equals(module)
    _drop_copies(module)
    _add_biases(module)
    _add_products(module)
    module.graph.eliminate_dead_code()


def _replace(node: Node, other: Node) -> None:
    """Take out a node, whose value another has."""
    node.replace_all_uses_with(other)
    node.graph.erase_node(node)


def _value(node: Any) -> torch.Tensor:
    """Return a tensor of a node's shape, dtype and strides, without numbers."""
    return node.meta["val"]


def _scale_before_spreading(module: fx.GraphModule) -> None:
    """Divide a mean's gradient by the count before it is spread over what the mean was of."""
    for node in _calls(module, aten.div.Scalar):
        spread, count = node.args
        if spread.target is not aten.expand.default or not all(_is_dense_with(node)):
            continue
        with module.graph.inserting_before(node):
            divided = module.graph.call_function(aten.div.Scalar, (spread.args[0], count))
            wide = module.graph.call_function(aten.expand.default, (divided, spread.args[1]))
        divided.meta["val"] = torch.empty_like(_value(spread.args[0]))
        wide.meta["val"] = divided.meta["val"].expand(_value(node).shape)
        _replace(node, wide)


def _is_dense_with(node: Node) -> Iterator[bool]:
    """Tell of each user whether its result keeps its order of memory if `node` has none."""
    for user in node.users:
        others = [other for other in user.all_input_nodes if other is not node]
        yield (
            user.target in (aten.add.Tensor, aten.mul.Tensor)
            and len(others) == 1
            and _value(others[0]).stride() == _value(node).stride()
        )


def _merge_equals(module: fx.GraphModule) -> None:
    """Do once what is done twice to the same tensors; PyTorch's CSEPass takes 0.0 for -0.0."""
    seen: dict[Any, Node] = {}
    for node in list(module.graph.nodes):
        if node.op not in ("call_function", "get_attr"):
            continue
        key = (node.op, node.target, _key(node.args), _key(node.kwargs))
        if key in seen:
            _replace(node, seen[key])
        else:
            seen[key] = node


def _key(argument: Any) -> Any:
    """Make something of an argument that is equal for equal ones only: 0.0 and -0.0 are not."""
    if isinstance(argument, dict):
        return tuple((name, _key(value)) for name, value in sorted(argument.items()))
    if isinstance(argument, list | tuple):
        return tuple(map(_key, argument))
    return type(argument), repr(argument) if isinstance(argument, float) else argument


def _drop_copies(module: fx.GraphModule) -> None:
    """Drop copies: of copies, of what lies in that order of memory already, of constants.

    Keras copies a picture into one order of memory and back before each convolution.
    """
    for node in _calls(module, aten.clone.default):
        while node.args[0].target is aten.clone.default:
            node.update_arg(0, node.args[0].args[0])
    for node in _calls(module, aten.clone.default, aten.lift_fresh_copy.default):
        same = _value(node).stride() == _value(node.args[0]).stride()
        if same and not _is_returned(node):
            _replace(node, node.args[0])
    for node in _calls(module, aten.detach.default):
        _replace(node, node.args[0])


def _is_returned(node: Node) -> bool:
    """Tell whether a result shows a node's memory: without its copy it might show an argument's."""
    return any(
        user.op == "output" or (_is_view(user) and _is_returned(user)) for user in node.users
    )


def _add_biases(module: fx.GraphModule) -> None:
    """Let products and convolutions add the bias that is added to what they make."""
    for node in _calls(module, aten.add.Tensor):
        if len(node.all_input_nodes) != 2 or node.kwargs:
            continue
        for sum_of in (node.args, node.args[::-1]):
            if (biased := _biased(node, *sum_of)) is not None:
                _replace(node, biased)
                break


_VIEWS = (aten.view.default, aten._unsafe_view.default)
_CHANNELS_LAST = [0, 2, 3, 1]


def _biased(node: Node, made: Node, bias: Node) -> Node | None:
    """Make `node`, the sum of the other two, by what makes `made`; None where that cannot be."""
    turns = []
    while made.target in (*_VIEWS, aten.permute.default) and len(made.users) == 1:
        turns.append(made)
        made = made.args[0]
    last = _value(bias).shape[-1:]
    while bias.target in _VIEWS:
        bias = bias.args[0]
    permutes = [turn.args[1] for turn in turns if turn.target is aten.permute.default]
    is_convolution = made.target is aten.convolution.default and made.args[2] is None
    if not (is_convolution or made.target is aten.mm.default) or len(made.users) != 1:
        return None
    if permutes != ([_CHANNELS_LAST] if is_convolution else []):
        return None
    channels = (_value(made).shape[1],)
    if any(shape != channels for shape in (last, _value(bias).shape, _value(node).shape[-1:])):
        return None
    if _value(bias).dtype != _value(made).dtype:
        return None
    graph = node.graph
    with graph.inserting_before(node):
        if is_convolution:
            arguments = (*made.args[:2], bias, *made.args[3:])
            biased = graph.call_function(aten.convolution.default, arguments)
        else:
            biased = graph.call_function(aten.addmm.default, (bias, *made.args))
        biased.meta["val"] = _value(made)
        for turn in reversed(turns):
            biased = graph.call_function(turn.target, (biased, *turn.args[1:]))
            biased.meta["val"] = _value(turn)
    return biased


def _add_products(module: fx.GraphModule) -> None:
    """Multiply and add pictures in one pass over them."""
    for node in _calls(module, aten.add.Tensor):
        if len(node.args) != 2 or node.kwargs:
            continue
        for product, other in (node.args, node.args[::-1]):
            if _is_product_for(node, product, other):
                with module.graph.inserting_before(node):
                    arguments = (other, *product.args)
                    fused = module.graph.call_function(aten.addcmul.default, arguments)
                fused.meta["val"] = _value(node)
                _replace(node, fused)
                break


def _is_product_for(node: Node, product: Any, other: Any) -> bool:
    """Tell whether `node` adds a product of tensors, which nobody else uses, to another tensor.

    The product lies in memory as the sum does, so that a sum of three does too.
    """
    if not isinstance(other, fx.Node) or getattr(product, "target", None) is not aten.mul.Tensor:
        return False
    tensors = [other, *product.args]
    return (
        len(product.users) == 1
        and all(isinstance(tensor, fx.Node) for tensor in tensors)
        and {_value(tensor).dtype for tensor in tensors} == {_value(node).dtype}
        and _value(product).stride() == _value(node).stride()
    )
