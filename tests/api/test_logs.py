import logging
from select import PIPE_BUF

import msgspec

from owed.api.logs import pieces
from owed.logs import JsonFormatter


def test_lines_are_written_whole_and_in_pieces_that_a_pipe_does_not_tear() -> None:
    lines = [b"x" * (number % 400) for number in range(1_000)]
    written = list(pieces(lines))

    assert all(len(piece) <= PIPE_BUF and piece.endswith(b"\n") for piece in written)
    assert b"".join(written) == b"\n".join(lines) + b"\n"
    assert len(written) <= 1.2 * sum(len(line) + 1 for line in lines) / PIPE_BUF


def test_a_line_that_is_too_long_for_a_pipe_is_a_piece_of_its_own() -> None:
    long = b"x" * PIPE_BUF

    assert list(pieces([b"a", long, b"b"])) == [b"a\n", long + b"\n", b"b\n"]


def test_a_record_is_one_line_of_json_without_what_terminals_are_told() -> None:
    told = {"name": "uvicorn.error", "levelname": "INFO", "msg": "Child [%d] died", "args": (7,)}
    record = logging.makeLogRecord(told)
    record.color_message = "Child [\x1b[36m7\x1b[0m] died"
    record.route = "/health"
    line = msgspec.json.decode(JsonFormatter().format(record))

    assert line == {
        "time": record.created,
        "level": "info",
        "logger": "uvicorn.error",
        "message": "Child [7] died",
        "route": "/health",
    }
