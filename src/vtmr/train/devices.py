"""The processes of a run and what they must agree on; Lightning Fabric starts them and sums up
their gradients.

Every process owns a network, an optimiser and a data loader of its own. They meet at fixed points
of each step: to learn whether one of them has to stop, in the backward pass, and for the figures of
the log. The first one alone writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from vtmr.errors import ConfigError, DataError, VtmrError
from vtmr.models.network import InteractiveNetwork
from vtmr.train.recipe import ComputeRecipe, Recipe
from vtmr.train.step import Losses

# In Fabric's words.
PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
# How Gloo says that the other end is gone, which has no type of its own. Which of them it says
# depends on what the process that ended had still to read and on who was writing: of 60 that were
# killed, 29 closed the connection and 31 reset it.
ENDS_OF_A_CONNECTION = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")


class LossModule(nn.Module):
    """What Fabric wraps: its forward pass computes whatever losses it is told to compute with the
    network.

    Fabric looks into every record it is given to cast its tensors, and refuses frozen ones; a
    function passes as it is.
    """

    def __init__(self, network: InteractiveNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, compute: Callable[[], Losses]) -> dict[str, Tensor]:
        """The total, with gradients, and what it is the sum of, by name."""
        losses = compute()
        return {"total": losses.total, **losses.by_name}


def open_fabric(recipe: Recipe) -> Fabric:
    """Starts the run's processes (none for one alone) and returns what connects them. Raises
    ConfigError.

    Under torchrun, SLURM or another launcher this process is one of those that were started
    already.
    """
    compute = recipe.compute
    cuda = torch.cuda.is_available() and compute.accelerator != "cpu"
    require_devices(compute, cuda)
    devices, nodes = started_by_torchrun() or (compute.devices, compute.nodes)
    micro_batches = devices * nodes * compute.accumulate
    if recipe.batch % micro_batches:
        raise ConfigError(
            f"batch is {recipe.batch}, which can't be shared evenly by {devices * nodes} "
            f"process(es) in {compute.accumulate} micro-batch(es) each: "
            f"set batch to a multiple of {micro_batches}."
        )
    if compute.sync_batch_norm and recipe.refiner_samples % (devices * nodes):
        raise ConfigError(
            f"{recipe.refiner_samples} samples train the refiner, which {devices * nodes} "
            "processes can't share evenly, as compute.sync_batch_norm needs it: change "
            "refiner_share."
        )
    accelerator = "cpu"
    if cuda:
        accelerator = "cuda"
    strategy: str | DDPStrategy = "auto"
    if devices * nodes > 1:
        strategy = DDPStrategy()
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=strategy,
            precision=PRECISIONS[compute.precision],  # type: ignore[arg-type]
        )
        fabric.launch()
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ConfigError(
            f"The run can't be started on {devices} device(s) of {nodes} node(s): {reason}. Set "
            "compute.devices and compute.nodes to what there is."
        ) from error
    return fabric


def require_devices(compute: ComputeRecipe, cuda: bool) -> None:
    """Raises ConfigError where the recipe asks for what needs CUDA and there is none."""
    for name, wanted in (
        ('accelerator "cuda"', compute.accelerator == "cuda"),
        ('precision "float16"', compute.precision == "float16"),
        ("sync_batch_norm", compute.sync_batch_norm),
    ):
        if wanted and not cuda:
            raise ConfigError(
                f"The recipe's compute wants {name}, which needs a CUDA device: there is none here."
            )


def started_by_torchrun() -> tuple[int, int] | None:
    """(devices on each node, nodes), or None where torchrun didn't start this process."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    return here, int(os.environ["WORLD_SIZE"]) // here


def placed(
    fabric: Fabric, network: InteractiveNetwork, compute: ComputeRecipe
) -> InteractiveNetwork:
    """The network on this process's device."""
    if compute.sync_batch_norm:
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    # torch's stubs lack this overload.
    moved: InteractiveNetwork = network.to(  # type: ignore[call-overload]
        fabric.device, memory_format=torch.channels_last
    )
    return moved


def summed(fabric: Fabric, values: Mapping[str, float | Tensor]) -> dict[str, float]:
    """The sum of every value over all processes.

    All must call it at the same point with the same names.
    """
    # In float64, which counts samples and seconds of any run exactly.
    as_number = partial(torch.as_tensor, dtype=torch.float64, device=fabric.device)
    row = torch.stack(list(map(as_number, values.values())))
    if fabric.world_size > 1:
        row = fabric.all_reduce(row, reduce_op="sum")  # type: ignore[assignment]
    return dict(zip(values, row.tolist(), strict=True))


def gathered(fabric: Fabric, messages: tuple[str, ...]) -> tuple[str, ...]:
    """All processes' messages, in their order. All must call it at the same point."""
    if fabric.world_size == 1:
        return messages
    found: list[tuple[str, ...]] = [()] * fabric.world_size
    torch.distributed.all_gather_object(found, messages)
    return tuple(chain.from_iterable(found))


def first_error(fabric: Fabric, error: VtmrError | None) -> VtmrError | None:
    """An error that any of the processes has: its own for one that has one.

    All must call it at the same point.
    """
    if not summed(fabric, {"errors": error is not None})["errors"]:
        return None
    # As texts: an error of another process can't be raised here with its own type.
    own = () if error is None else (str(error),)
    messages = gathered(fabric, own)
    return error or DataError(messages[0])


def lost_a_process(error: RuntimeError) -> bool:
    """Whether that is what waiting for a process ends with which is there no more."""
    closed = any(end in str(error) for end in ENDS_OF_A_CONNECTION)
    return closed or isinstance(error, torch.distributed.DistError)
