"""What an all-reduce costs, and the efficiency that it leaves: a model, not a measurement.

In a ring of n devices each sends 2 (n - 1) messages of 1/n of the data, the least that any
algorithm can send (Patarasuk & Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters
of workstations"). A message takes a latency, and its bytes over the bandwidth (Hockney 1994).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A connection between neighbours in the ring; in a mixed cluster, the slowest one.

    Attributes:
        name: what people call it.
        bandwidth: bytes a second in one direction, as specified; programs reach 80 to 90 %.
        latency: seconds that a message takes, whatever its size.
    """

    name: str
    bandwidth: float
    latency: float


# Latencies: what NCCL's own cost model assumes of a ring (`hwLat` in its src/graph/tuning.cc,
# protocol "Simple"): 3.4 µs over NVLink, 5.7 over PCIe, 14 over a network. TCP may take longer.
LINKS = (
    # 18 links of 25 GB/s in each direction: NVIDIA, "H100 Tensor Core GPU Architecture" (2022).
    Link(name="NVLink 4", bandwidth=450e9, latency=3.4e-6),
    # 16 lanes of 16 Gbit/s, 128 of 130 bits are data: PCI Express base specification 4.0 (2017).
    Link(name="PCIe 4 x16", bandwidth=16 * 16e9 * 128 / 130 / 8, latency=5.7e-6),
    # InfiniBand NDR (IBTA), or Ethernet (IEEE 802.3bs).
    Link(name="400 Gbit/s", bandwidth=50e9, latency=14e-6),
    # InfiniBand EDR (IBTA), or Ethernet (IEEE 802.3bm).
    Link(name="100 Gbit/s", bandwidth=12.5e9, latency=14e-6),
    Link(name="25 Gbit/s", bandwidth=3.125e9, latency=14e-6),  # IEEE 802.3by
    Link(name="10 Gbit/s", bandwidth=1.25e9, latency=14e-6),  # IEEE 802.3ae
)


def volume(size: float, devices: int) -> float:
    """Return the bytes that each of n devices sends to all-reduce `size` bytes: 2 (n - 1) / n."""
    return 2 * (devices - 1) / devices * size


def seconds(size: float, operations: int, devices: int, link: Link) -> float:
    """Return the time of a step's all-reduces, one after the other.

    Args:
        size: bytes of all of them.
        operations: how many there are; each has its own 2 (n - 1) latencies.
        devices: n.
        link: between neighbours.
    """
    latencies = operations * 2 * (devices - 1) * link.latency
    return latencies + volume(size, devices) / link.bandwidth


def weak_efficiency(step: float, communication: float) -> float:
    """Return the useful share of a step when every device keeps the batch that one has, in (0, 1].

    Nothing overlaps: the worst case, since XLA may reduce some gradients while it computes others.

    Args:
        step: seconds of computing, the same on every device.
        communication: seconds of all-reduces.
    """
    return step / (step + communication)


def strong_efficiency(step: float, communication: float, devices: int) -> float:
    """Return the speed-up over n when n devices share one batch, in (0, 1].

    Args:
        step: seconds of computing on one device; on n it takes 1/n, the best case, since small
            batches use a device worse.
        communication: seconds of all-reduces.
        devices: n.
    """
    return weak_efficiency(step / devices, communication)
