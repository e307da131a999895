# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated GPU for tests: tensors whose device is CUDA, computed on the CPU.

It raises the errors of CUDA: for an operation on tensors of both devices, for numpy on the memory
of a GPU, for random numbers from a generator of the CPU; also in the backward, but not on other
threads. Its memory counts the tensors that are alive, not what kernels need inside. It does not
simulate the kernels of a GPU: their numbers, their speed, and the types, sizes and strides that
they do not accept.

A tensor of the GPU wraps one of the CPU. In the C++ half of torch its device is `meta`: a build for
CPUs cannot index a tensor on `cuda`, nor compute its gradients, without a guard for such a device.
So `cuda` is replaced by `meta` where a call enters torch, and `meta` by the GPU where an operation
returns; a call that names `meta` itself gets `meta`.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

if TYPE_CHECKING:
    from collections.abc import Callable

GPU = torch.device("cuda", 0)
_CPU, _META = torch.device("cpu"), torch.device("meta")
_MEMORY = 24 << 30  # bytes

_ATEN = torch.ops.aten
_MOVING = {_ATEN._to_copy, _ATEN.copy_}
_INDEXING = {_ATEN.index, _ATEN.index_put, _ATEN.index_put_, _ATEN._index_put_impl_}
_TAKING_SCALARS = {_ATEN.fill_, _ATEN.masked_fill, _ATEN.masked_fill_, *_INDEXING}


@dataclass
class Memory:
    """The memory of the GPU: storages of the tensors that are alive.

    Attributes:
        allocated: bytes.
        peak: the most of them since the last reset.
        users: tensors on each storage, by its address.
    """

    allocated: int = 0
    peak: int = 0
    users: dict[int, int] = field(default_factory=dict)

    def hold(self, address: int, size: int) -> None:
        """A tensor lies on a storage."""
        if address not in self.users:
            self.allocated += size
            self.peak = max(self.peak, self.allocated)
        self.users[address] = self.users.get(address, 0) + 1

    def release(self, address: int, size: int) -> None:
        """A tensor on a storage is gone."""
        self.users[address] -= 1
        if not self.users[address]:
            del self.users[address]
            self.allocated -= size

    def reset(self, *_: object) -> None:
        """Begin to look for a new peak."""
        self.peak = self.allocated


MEMORY = Memory()


class Held:
    """Counts the storage of a tensor as long as it is an attribute of it.

    Modules cannot move tensors that weak references see.
    """

    def __init__(self, inner: Tensor) -> None:
        storage = inner.untyped_storage()
        self._storage = storage.data_ptr(), storage.nbytes()
        MEMORY.hold(*self._storage)

    def __del__(self) -> None:
        MEMORY.release(*self._storage)


class GpuTensor(Tensor):
    """A tensor of the GPU."""

    inner: Tensor  # what it is on the CPU
    held: Held
    device = property(lambda _: GPU)
    is_cuda, is_cpu, is_meta = True, False, False

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __new__(cls, inner: Tensor):
        """A wrapper without memory of its own."""
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=_META,
        )
        tensor.inner = inner
        tensor.held = Held(inner)
        return tensor

    @classmethod
    def __torch_dispatch__(cls, operation: Any, _types: Any, args: Any = (), kwargs: Any = None):
        return run(operation, args, kwargs or {})

    # Modules call these two to move parameters: they then replace them instead of writing into
    # memory that a wrapper does not have.
    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, Tensor], *_: object) -> GpuTensor:
        return GpuTensor(parts["inner"])

    def get_device(self) -> int:
        """The number of the GPU."""
        return 0

    def tolist(self) -> Any:
        """Python numbers, as from any device."""
        return self.inner.tolist()

    def untyped_storage(self) -> torch.UntypedStorage:
        """The memory on the CPU, where Triton's interpreter computes."""
        return self.inner.untyped_storage()

    def numpy(self, **_options: bool) -> None:
        """An error: numpy cannot read the memory of a GPU."""
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __array__(self, *_options: object) -> None:
        self.numpy()

    def __repr__(self) -> str:
        return f"GpuTensor({self.inner!r})"


@contextmanager
def simulated_gpu(on_cpu: Callable[[Any], None] | None = None):
    """Inside this context `torch.cuda` has one GPU, of compute capability 9.0.

    Args:
        on_cpu: is called with every operation that reads or makes a tensor of the CPU.
    """
    properties = SimpleNamespace(name="simulated", total_memory=_MEMORY)
    with pytest.MonkeyPatch.context() as patch, _Operations(on_cpu), _Calls():
        for name, answer in {
            "is_available": True,
            "is_initialized": True,
            "device_count": 1,
            "current_device": 0,
            "device_of": nullcontext(),
            "get_device_name": properties.name,
            "get_device_properties": properties,
            "get_device_capability": (9, 0),
            "mem_get_info": (_MEMORY, _MEMORY),
            "memory_reserved": 0,
            "empty_cache": None,
            "synchronize": None,
            "manual_seed_all": None,
            "_lazy_init": None,
        }.items():
            patch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
        patch.setattr(torch.cuda, "memory_allocated", lambda *_: MEMORY.allocated)
        patch.setattr(torch.cuda, "max_memory_allocated", lambda *_: MEMORY.peak)
        patch.setattr(torch.cuda, "reset_peak_memory_stats", MEMORY.reset)
        yield GPU


class _Calls(TorchFunctionMode):
    """Calls of torch's functions, before C++ reads the devices they name."""

    def __torch_function__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None):
        kwargs = kwargs or {}
        if function is torch.device:
            return function(*args, **kwargs)
        if _names(kwargs.get("device"), "meta"):
            with _disable_current_modes():
                return function(*args, **kwargs)
        args = [_META if _names(each, "cuda") else each for each in args]
        kwargs = {key: _META if _names(each, "cuda") else each for key, each in kwargs.items()}
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is _META:
            return function(*args, **kwargs | {"device": _CPU}).to(_META)
        if function is Tensor.new_tensor and isinstance(args[0], GpuTensor):
            return torch.tensor(*args[1:], **{"dtype": args[0].dtype} | kwargs).to(_META)
        return function(*args, **kwargs)


class _Operations(TorchDispatchMode):
    """The operations that calls are made of, also those without tensors as arguments."""

    def __init__(self, on_cpu: Callable[[Any], None] | None) -> None:
        super().__init__()
        self._on_cpu = on_cpu

    def __torch_dispatch__(self, operation: Any, _types: Any, args: Any = (), kwargs: Any = None):
        found = run(operation, args, kwargs or {})
        if self._on_cpu:
            used: list[Tensor] = []
            _with_tensors([*args, *(kwargs or {}).values(), found], used.append)
            if not all(isinstance(each, GpuTensor) for each in used):
                self._on_cpu(operation)
        return found


def run(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run one operation on the CPU; its results are on the device that CUDA would use.

    Raises:
        RuntimeError: where CUDA would not compute this.
    """
    given: list[Tensor] = []
    _with_tensors([*args, *kwargs.values()], given.append)
    check_devices(operation, args, given)
    device, on_gpu = kwargs.get("device"), any(isinstance(each, GpuTensor) for each in given)
    if device is not None:
        on_gpu = device.type != "cpu"
        kwargs = kwargs | {"device": _CPU if on_gpu else device}
    if on_gpu and kwargs.get("generator") is not None:
        raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
    given_by_id = {id(_inner(each)): each for each in given}  # in-place results are arguments
    options = {name: _with_tensors(value, _inner) for name, value in kwargs.items()}
    found = operation(*_with_tensors(args, _inner), **options)
    if torch.Tag.inplace_view in operation.tags:
        with no_dispatch():  # the wrapper takes the new shape as well
            operation(*args, **kwargs)

    def wrapped(tensor: Tensor) -> Tensor:
        if id(tensor) in given_by_id:
            return given_by_id[id(tensor)]
        return GpuTensor(tensor) if on_gpu else tensor

    return _with_tensors(found, wrapped)


def check_devices(operation: Any, args: tuple[Any, ...], given: list[Tensor]) -> None:
    """Raise an error for tensors of both devices, except where CUDA accepts them.

    Copies may cross; a tensor of the GPU may be indexed by one of the CPU; a tensor of the CPU
    without axes is accepted as a number.
    """
    packet = operation.overloadpacket
    if packet in _MOVING:
        return
    if packet in _INDEXING:
        given = [args[0], *args[2:3], *(each for each in args[1] if isinstance(each, GpuTensor))]
    scalars = packet in _TAKING_SCALARS or torch.Tag.pointwise in operation.tags
    others = [each for each in given if not isinstance(each, GpuTensor)]
    if scalars:
        others = [each for each in others if each.dim()]
    if others and any(isinstance(each, GpuTensor) for each in given):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"cuda:0 and cpu! ({operation})"
        )


def _with_tensors(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """Arguments or results of an operation with every tensor among them changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)([_with_tensors(each, change) for each in value])
    return value


def _inner(tensor: Tensor) -> Tensor:
    return tensor.inner if isinstance(tensor, GpuTensor) else tensor


def _names(value: object, kind: str) -> bool:
    """Whether a value names a device of a kind."""
    return isinstance(value, (str, torch.device)) and str(value).partition(":")[0] == kind
