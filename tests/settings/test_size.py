import pytest

from pulsegate.settings.size import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), (1, 1), ("500kB", 500_000), (" 5 MB ", 5_000_000), ("1GB", 1_000_000_000), (1_234_567, 1_234_567)],
)
def test_size_is_read_and_written_again(text, size):
    assert parse_size(text) == size
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("size", "text"), [(5_000_000, "5MB"), (1_500_000, "1500kB"), (2_000_000_000, "2GB"), (7, "7")]
)
def test_size_is_written_in_the_largest_unit(size, text):
    assert format_size(size) == text


@pytest.mark.parametrize("text", ["", "MB", "5 mb", "-1", "1.5MB", "0", 0, -3, True, None, 1.5, "5MiB", "9" * 13])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="is no size; write 500kB, 5MB or 1GB"):
        parse_size(text)
