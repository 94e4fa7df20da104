"""Frames of WebSocket, whatever comes: the same messages from any pieces, and no others than
another server takes from these bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.websocket_frames import FrameEnds
from tests.support.websocket_frames import KEY, frame, taken_elsewhere, understood, without_close

FRAMES = st.one_of(
    st.builds(
        frame,
        st.sampled_from([0, 1, 2, 8, 9, 10]),
        st.binary(max_size=200),
        first=st.sampled_from([0x80, 0x80, 0]),
        key=st.binary(min_size=4, max_size=4),
    ),
    st.binary(max_size=6),
)


@given(data=st.lists(FRAMES, max_size=6).map(b"".join), piece_bytes=st.integers(1, 40))
def test_any_split_gives_the_same(data: bytes, piece_bytes: int) -> None:
    """Where the network cuts means nothing."""
    assert understood(data, piece_bytes, 300) == understood(data, len(data) or 1, 300)


@given(data=st.lists(FRAMES, max_size=6).map(b"".join))
def test_what_is_taken_is_what_another_server_takes(data: bytes) -> None:
    """The `websockets` library joins the same messages from the same bytes, as far as ours goes;
    so nobody is shown another message than the upstream acts on."""
    ours = without_close(understood(data, len(data) or 1, 300)[0])
    assert ours == without_close(taken_elsewhere(data))[: len(ours)]


SIZES_OF_SEVERAL = st.lists(st.integers(0, 300) | st.sampled_from([65_535, 65_536]), max_size=5)


@given(sizes=SIZES_OF_SEVERAL, piece_bytes=st.integers(1, 5_000), is_masked=st.booleans())
def test_the_ends_of_frames_are_found(sizes: list[int], piece_bytes: int, is_masked: bool) -> None:
    """In any pieces, and those alone."""
    frames = [frame(2, bytes(size), key=KEY if is_masked else None) for size in sizes]
    data, ends = b"".join(frames), FrameEnds()
    expected = {sum(map(len, frames[:count])) for count in range(len(frames) + 1)}
    for at in range(0, len(data), piece_bytes):
        piece = data[at : at + piece_bytes]
        assert ends.follow(piece) == len(piece)
        assert ends.is_between == (at + len(piece) in expected)


@given(sizes=SIZES_OF_SEVERAL)
def test_a_frame_is_followed_to_its_end_and_no_further(sizes: list[int]) -> None:
    """From within it; between two, nothing is followed."""
    frames, ends = [frame(2, bytes(size), key=None) for size in sizes], FrameEnds()
    for one in frames:
        assert ends.follow(one[:1]) == 1
        assert ends.follow(one[1:] + b"\x81\x00", to_end=True) == len(one) - 1
        assert ends.follow(b"\x81\x00", to_end=True) == 0
