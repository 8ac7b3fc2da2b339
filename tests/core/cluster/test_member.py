"""Who a process is, by options, variables and the launchers' own environments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgen.cluster.launcher import first_host
from kgen.cluster.member import Member, find, share
from kgen.errors import KgenError

# What srun(1) promises to each of 4 tasks of a step of job 123456. JAX takes the same port for a
# job's first step: 61440 + 123456 % 4096 = 62016.
SLURM = {
    "SLURM_JOB_ID": "123456",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "gpu[003-010,12],login1",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
}
# What sbatch sets for the script itself, without srun.
SBATCH = {
    "SLURM_JOB_ID": "123456",
    "SLURM_JOB_NODELIST": "gpu[003-004]",
    "SLURM_NODELIST": "gpu[003-004]",
    "SLURM_NTASKS": "4",
    "SLURM_NPROCS": "4",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
}
# As `mpirun -n 2` of Open MPI 5.0 sets them on one machine.
MPIRUN = {
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "PMIX_NAMESPACE": "prterun-vm-10963@1",
}
# As `torchrun --nproc-per-node 2` of PyTorch 2 sets them. It keeps MASTER_PORT for itself.
TORCHRUN = {
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "29500",
    "WORLD_SIZE": "2",
    "RANK": "1",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
BY_HAND = {k: v for k, v in TORCHRUN.items() if not k.startswith("TORCHELASTIC")}
KGEN = {"KGEN_COORDINATOR": "node1:29400", "KGEN_NUM_PROCESSES": "3", "KGEN_PROCESS_ID": "1"}


def member(coordinator, num_processes, process):
    return Member(coordinator=coordinator, num_processes=num_processes, process=process)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (KGEN, member("node1:29400", 3, 1)),
        (SLURM, member("gpu003:62016", 4, 2)),
        (SLURM | {"SLURM_STEP_ID": "1"}, member("gpu003:62080", 4, 2)),
        (TORCHRUN, member("node1:29501", 2, 1)),
        (BY_HAND, member("node1:29500", 2, 1)),
        (BY_HAND | {"MASTER_ADDR": "fd00::1"}, member("[fd00::1]:29500", 2, 1)),
        # mpirun starts its daemons by srun, and torchrun may be what srun starts.
        (SLURM | TORCHRUN, member("node1:29501", 2, 1)),
        (SLURM | MPIRUN | KGEN, member("node1:29400", 3, 1)),
        # Slurm scripts often set these for PyTorch, and leave the rank to srun.
        (SLURM | {"MASTER_ADDR": "a", "WORLD_SIZE": "8"}, member("gpu003:62016", 4, 2)),
        (
            {"JOB_COMPLETION_INDEX": "1"}
            | {"KGEN_NUM_PROCESSES": "2", "KGEN_COORDINATOR": "train-0.train:29400"},
            member("train-0.train:29400", 2, 1),
        ),
        (SLURM | {"KGEN_COORDINATOR": "10.0.0.7:5000"}, member("10.0.0.7:5000", 4, 2)),
        (
            MPIRUN | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1", "KGEN_COORDINATOR": "a:1"},
            member("a:1", 2, 1),
        ),
    ],
)
def test_the_environment_says_who_a_process_is(environ, expected):
    assert find(None, None, None, environ) == expected


def test_several_mpiruns_on_one_machine_meet_at_different_ports():
    one = find(None, None, None, MPIRUN)
    same = find(None, None, None, MPIRUN | {"OMPI_COMM_WORLD_RANK": "0"})
    other = find(None, None, None, MPIRUN | {"PMIX_NAMESPACE": "prterun-vm-10999@1"})
    assert one.coordinator == same.coordinator
    assert {one.host, other.host} == {"127.0.0.1"}
    assert one.port != other.port
    assert {one.port, other.port} <= set(range(61440, 65536))


@pytest.mark.parametrize(
    "environ",
    [
        {},
        SBATCH,
        SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
        SLURM | {"KGEN_NUM_PROCESSES": "1"},
        MPIRUN | {"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"},
        BY_HAND | {"WORLD_SIZE": "1", "RANK": "0"},
        {"MASTER_ADDR": "node1", "MASTER_PORT": "29500"},
        {"JOB_COMPLETION_INDEX": "3"},
        KGEN | {"KGEN_NUM_PROCESSES": "1", "KGEN_PROCESS_ID": "0"},
        {"KGEN_COORDINATOR": "", "KGEN_NUM_PROCESSES": ""},
    ],
)
def test_a_process_that_was_started_alone_trains_alone(environ):
    assert find(None, None, None, environ) is None


def test_each_option_comes_before_its_variable_and_the_launcher():
    everything = SLURM | KGEN
    assert find("[::1]:7", 9, 8, everything) == member("[::1]:7", 9, 8)
    assert find(None, None, 2, everything) == member("node1:29400", 3, 2)
    assert find(None, 4, None, everything) == member("node1:29400", 4, 1)
    assert find("node2:1", None, None, SLURM) == member("node2:1", 4, 2)
    assert find(None, 1, None, everything | {"KGEN_PROCESS_ID": "0"}) is None


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ((None, None), {}, (0, 1)),
        ((4, 3), {}, (3, 4)),
        ((1, None), SLURM, (0, 1)),
        ((None, None), SLURM, (2, 4)),
        ((None, None), {"KGEN_COORDINATOR": "node1:29400"}, (0, 1)),
        ((None, None), {"KGEN_NUM_PROCESSES": "4", "JOB_COMPLETION_INDEX": "3"}, (3, 4)),
        ((None, None), {"JOB_COMPLETION_INDEX": "3"}, (0, 1)),
    ],
)
def test_a_share_of_a_work_needs_no_coordinator(given, environ, expected):
    assert share(*given, environ) == expected


@pytest.mark.parametrize("given", [(2, None), (None, 1), (2, 2)])
def test_half_of_a_share_is_refused(given):
    with pytest.raises(KgenError, match=r"^Expected "):
        share(*given, {})


def test_host_and_port_are_taken_apart():
    assert (member("node1:29400", 2, 0).host, member("node1:29400", 2, 0).port) == ("node1", 29400)
    assert (member("[::1]:1234", 2, 0).host, member("[::1]:1234", 2, 0).port) == ("::1", 1234)


@pytest.mark.parametrize(
    ("given", "environ", "words"),
    [
        ((None, 2, None), {}, "--coordinator HOST:PORT .* --process-id I .*--num-processes=2"),
        (("a:1", None, None), {}, "--num-processes N .*--coordinator=a:1"),
        ((None, None, 1), {}, "--num-processes N .*--process-id=1"),
        (("a:1", 2, None), {}, "--process-id I "),
        # The launcher started one process: its 0 says nothing of the two that an option speaks of.
        (("a:1", 2, None), SLURM | {"SLURM_STEP_NUM_TASKS": "1"}, "--process-id I "),
        ((None, None, None), MPIRUN | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, "KGEN_COORDINATOR"),
        ((None, None, None), SLURM | {"SLURM_STEP_NODELIST": "a[1"}, "--coordinator HOST:PORT"),
        (("a:1", 2, 2), {}, "from 0 to 1, since --num-processes=2; received --process-id=2"),
        (("a:1", 2, -1), {}, "from 0 on, received --process-id=-1"),
        (("a:1", 0, 0), {}, "from 1 on, received --num-processes=0"),
        (("a:1", 1, 1), {}, "from 0 to 0"),
        ((None, None, None), KGEN | {"KGEN_PROCESS_ID": "two"}, "KGEN_PROCESS_ID=two"),
        ((None, None, None), KGEN | {"KGEN_PROCESS_ID": "3"}, "KGEN_PROCESS_ID=3"),
        ((None, 2, None), SLURM, "since --num-processes=2; received SLURM_PROCID=2"),
        *(
            ((address, 2, 0), {}, "Expected HOST:PORT")
            for address in (
                "a",
                "a:",
                ":1",
                "a:b",
                "a:0",
                "a:65536",
                "::1",
                "::1:5",
                "a:-1",
                "a:1e3",
            )
        ),
        (("http://a:1", 2, 0), {}, "Expected HOST:PORT"),
        (("a:٣", 2, 0), {}, "Expected HOST:PORT"),
        (("0.0.0.0:5", 2, 0), {}, "every address of a machine"),
        (("[::]:5", 2, 0), {}, "every address of a machine"),
    ],
)
def test_what_is_missing_or_contradicts_is_named_in_one_line(given, environ, words):
    with pytest.raises(KgenError, match=words) as caught:
        find(*given, environ)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node001", "node001"),
        ("node001,host2", "node001"),
        ("node[001-0015],host2", "node001"),
        ("node[001,007-015],host2", "node001"),
        ("gpu[003-010,12],login1", "gpu003"),
        ("login-a,gpu[1-2]", "login-a"),
        ("rack[2-3]n[07,09]-ib", "rack2n07-ib"),
        ("node[9-11].example.org", "node9.example.org"),
        ("cn-[0]", "cn-0"),
        ("", None),
        ("node[", None),
        ("node[a-b]", None),
        ("node]", None),
        (",node", None),
        ("node[1-2", None),
    ],
)
def test_the_first_of_slurms_machines_is_found_in_every_form(nodes, first):
    assert first_host(nodes) == first


name = st.from_regex(r"[a-z][a-z-]{0,5}", fullmatch=True)


@st.composite
def machine_lists(draw):
    """Draw a list as Slurm compresses it, and what `scontrol show hostnames` makes of it."""
    written, hosts = [], []
    for prefix in draw(st.lists(name, min_size=1, max_size=3)):
        ends, expanded = "", [""]
        for _ in range(draw(st.integers(0, 2))):  # brackets in one name
            width = draw(st.integers(1, 4))
            parts, numbers = [], []
            for _ in range(draw(st.integers(1, 3))):
                low = draw(st.integers(0, 999))
                high = low + draw(st.integers(0, 3))
                one = f"{low:0{width}d}"
                parts.append(one if low == high else f"{one}-{high:0{width}d}")
                numbers += [f"{n:0{width}d}" for n in range(low, high + 1)]
            after = draw(st.sampled_from(["", "n", "-ib"]))
            ends += f"[{','.join(parts)}]{after}"
            expanded = [f"{end}{number}{after}" for end in expanded for number in numbers]
        written.append(prefix + ends)
        hosts += [prefix + end for end in expanded]
    return ",".join(written), hosts


@given(machine_lists())
def test_the_first_machine_is_the_one_that_scontrol_lists_first(drawn):
    written, hosts = drawn
    assert first_host(written) == hosts[0]
