"""The comparison of codecs compares like with like."""

from __future__ import annotations

from bench import codec, report


def test_both_codecs_read_the_same_request_and_write_the_same_answer() -> None:
    every = codec.contestants()  # raises where they do not agree
    (decode_ours, encode_ours), (decode_theirs, encode_theirs) = every["ours"], every["PyKMIP"]
    assert decode_ours().unique_identifier == decode_theirs().unique_identifier
    assert encode_ours() == encode_theirs()
    assert bytes(range(32)) in encode_ours()


def test_a_measurement_is_a_line_for_each() -> None:
    lines = report.codec_table(codec.measure(rounds=1, number=1)).splitlines()
    assert [line.split("|")[1].strip() for line in lines] == ["codec", "---", "ours", "PyKMIP"]
    assert lines[3].endswith("| 1.0 × |")
