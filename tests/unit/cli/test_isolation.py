"""The pure parts of `run --isolate` and of transparent mode: names, system calls, rules."""

from __future__ import annotations

import errno
import struct

import pytest

from gateway.cli.base_urls import base_url_variables
from gateway.cli.isolation import resolver
from gateway.cli.isolation.scenery import (
    SOCKETS_MAX,
    TooManySockets,
    mounts_below,
    socket_paths,
)
from gateway.cli.isolation.system_calls import MACHINES, refused_calls
from gateway.cli.nftables import nftables_rules

NAME = b"\x03api\x06stripe\x03com\x00"


def question(kind: int = 1, name: bytes = NAME, flags: int = 0x0100, count: int = 1) -> bytes:
    """One question, as a stub resolver asks it."""
    return struct.pack("!6H", 7, flags, count, 0, 0, 0) + name + struct.pack("!2H", kind, 1)


def test_every_name_has_one_address() -> None:
    """The answer repeats the question and adds one record; 0xC00C points at the name."""
    answer = resolver.answer(question())
    assert answer is not None
    assert struct.unpack_from("!6H", answer) == (7, 0x8180, 1, 1, 0, 0)
    assert answer[12:].startswith(question()[12:])
    assert answer.endswith(struct.pack("!HI", 1, 60) + b"\x00\x04\xc6\x12\x00\x01")


EMPTY, FORMAT, UNKNOWN = (0x8180, 1, 0), (0x8181, 0, 0), (0x8184, 0, 0)

QUESTIONS = {
    "an IPv6 address": (question(28), EMPTY),
    "keys for an encrypted hello": (question(65), EMPTY),
    "two questions at once": (question(count=2), FORMAT),
    "no question": (question(count=0), FORMAT),
    "a name that does not end": (question(name=b"\x3fabc"), FORMAT),
    "a name with a pointer": (question(name=b"\xc0\x0c"), FORMAT),
    "a name that is too long": (question(name=(b"\x3f" + b"a" * 63) * 5), FORMAT),
    "a question without its type": (question()[:-3], FORMAT),
    "an update": (question(flags=0x2800), UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "expected"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_what_is_no_plain_question_gets_no_address(
    asked: bytes, expected: tuple[int, int, int]
) -> None:
    """Flags and response code, questions repeated, records."""
    answer = resolver.answer(asked)
    assert answer is not None
    assert struct.unpack_from("!4H", answer)[1:] == expected


@pytest.mark.parametrize(
    "asked", [b"", b"\x00" * 11, question(flags=0x8180), question() + b"\x00" * 5_000],
    ids=["nothing", "half a header", "an answer", "too much"],
)  # fmt: skip
def test_what_is_no_question_gets_no_answer(asked: bytes) -> None:
    """Nothing that could be played back and forth between two resolvers."""
    assert resolver.answer(asked) is None


def run_filter(program: bytes, number: int, arch: int, first: int = 0, second: int = 0) -> int:
    """What the kernel's interpreter would return."""
    memory = {0: number, 4: arch, 16: first, 24: second}
    lines = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        code, when_true, when_false, value = lines[at]
        at += 1
        if code == 0x20:
            accumulator = memory[value]
        elif code == 0x06:
            return value
        else:
            holds = accumulator == value if code == 0x15 else accumulator >= value
            at += when_true if holds else when_false


ALLOWED = 0x7FFF0000
X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003

CALLS = {
    "reading": ("x86_64", X86, 0, 0, 0, 0),
    "an IPv4 socket": ("x86_64", X86, 41, 2, 0, 0),
    "an IPv6 socket": ("x86_64", X86, 41, 10, 0, 0),
    "a UNIX socket": ("x86_64", X86, 41, 1, 0, 0),
    "a netlink socket": ("x86_64", X86, 41, 16, 0, 0),
    "a vsock": ("x86_64", X86, 41, 40, 0, errno.EAFNOSUPPORT),
    "a packet socket": ("x86_64", X86, 41, 17, 0, errno.EAFNOSUPPORT),
    "a terminal's size": ("x86_64", X86, 16, 0, 0x5413, 0),
    "typing into the terminal": ("x86_64", X86, 16, 0, 0x5412, errno.EPERM),
    "pasting into the console": ("x86_64", X86, 16, 0, 0x541C, errno.EPERM),
    "io_uring": ("x86_64", X86, 425, 0, 0, errno.ENOSYS),
    "a 32-bit call": ("x86_64", I386, 0, 0, 0, errno.ENOSYS),
    "an x32 socket": ("x86_64", X86, 0x40000029, 2, 0, errno.ENOSYS),
    "ARM: an IPv4 socket": ("aarch64", ARM, 198, 2, 0, 0),
    "ARM: a vsock": ("aarch64", ARM, 198, 40, 0, errno.EAFNOSUPPORT),
    "ARM: typing into the terminal": ("aarch64", ARM, 29, 0, 0x5412, errno.EPERM),
}


@pytest.mark.parametrize(
    ("machine", "arch", "number", "first", "second", "error"), CALLS.values(), ids=CALLS.keys()
)
def test_only_calls_that_lead_out_are_refused(
    machine: str, arch: int, number: int, first: int, second: int, error: int
) -> None:
    """With an error that programs expect; a process is never killed."""
    program = refused_calls(machine)
    assert program is not None
    expected = 0x50000 | error if error else ALLOWED
    assert run_filter(program, number, arch, first, second) == expected


def test_an_unknown_machine_has_no_filter() -> None:
    """Then nothing is run; numbers of another machine would mean something else."""
    assert set(MACHINES) == {"x86_64", "aarch64"}
    assert refused_calls("riscv64") is None


TABLE = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01  1234 /run/dbus/system_bus_socket
ffff8e1b00000000: 00000003 00000000 00000000 0001 03 99999
ffff8e1b00000001: 00000002 00000000 00010000 0001 01 20001 @/tmp/.X11-unix/X0
ffff8e1b00000002: 00000002 00000000 00000000 0002 01 20002 /tmp/with a space
ffff8e1b00000003: 00000003 00000000 00000000 0001 03 20003 /run/dbus/system_bus_socket
"""


def test_sockets_with_a_path_are_found_once() -> None:
    """Abstract ones belong to a network namespace and need no cover."""
    assert socket_paths(TABLE) == ["/run/dbus/system_bus_socket", "/tmp/with a space"]
    line = "0000000000000000: 00000002 00000000 00010000 0001 01 1234 /run/{}\n"
    with pytest.raises(TooManySockets):
        socket_paths("".join(line.format(number) for number in range(SOCKETS_MAX + 1)))


def test_what_is_mounted_below_a_folder_is_found_once() -> None:
    """By the kernel's own table, in which spaces are octal."""
    row = "36 35 98:0 / {} rw,noatime - ext3 /dev/root rw"
    places = ("/", "/sys", "/sys/fs/a\\040b", "/sys/fs/c", "/sys/fs/c", "/system", "/proc/sys")
    table = "\n".join(row.format(place) for place in places)
    assert mounts_below(table, "/sys") == ["/sys/fs/a b", "/sys/fs/c"]


def test_rules_name_the_resolvers_and_nobody_else() -> None:
    """Each in its own family; without one, no name is looked up past the gateway."""
    rules = nftables_rules(1337, 15001, ["10.96.0.10", "fd00::a"])
    assert "ip daddr 10.96.0.10 udp dport 53 accept" in rules
    assert "ip6 daddr fd00::a tcp dport 53 return" in rules
    assert "dport 53" not in nftables_rules(1337, 15001)
    assert rules.count("meta skuid 1337") == 2
    with pytest.raises(ValueError, match="not appear to be an IPv4 or IPv6 address"):
        nftables_rules(1337, 15001, ["10.0.0.1 accept; flush ruleset"])


def test_base_urls_are_told_by_the_variables_that_sdks_read() -> None:
    """A provider without one is said, and AWS is warned of."""
    variables, remarks = base_url_variables(
        "http://gateway:3129/",
        ["ai=https://api.openai.com", "stripe=https://api.stripe.com",
         "s3=https://s3.us-east-1.amazonaws.com", "own=https://own.test"],
    )  # fmt: skip
    assert variables == {"OPENAI_BASE_URL": "http://gateway:3129/ai/v1"}
    stripe, s3, own = (remark.removeprefix("http://gateway:3129") for remark in remarks)
    assert stripe == "/stripe: stripe.api_base = 'http://gateway:3129/stripe'"
    assert s3 == "/s3: AWS signs the Host header, which a base URL changes; use the proxy"
    assert own == "/own: no variable is known; give it in code"
