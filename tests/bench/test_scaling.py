"""What the scaling benchmark would say of a cost that grows too fast, and that its plot can be read."""

from xml.etree import ElementTree

import pytest

from bench.scaling import MOST_SLOPE, slope, table
from bench.scaling_plot import Point, plot


def points(power: float) -> list[Point]:
    return [Point("answer", "tokens of answer", size, 0.001 * size**power) for size in (100, 1_000, 10_000)]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_slope_tells_how_a_cost_grows(power: float) -> None:
    assert slope(points(power)) == pytest.approx(power)
    assert f"| {power:.2f} |" in table(points(power))


def test_the_square_of_a_size_is_too_much_and_its_multiple_is_not() -> None:
    assert slope(points(1.0)) < MOST_SLOPE < slope(points(2.0))


def test_the_plot_has_a_line_for_each_series() -> None:
    other = [Point("replay", "tokens of answer", point.size, point.cost_ms / 2) for point in points(1.0)]
    picture = ElementTree.fromstring(plot([*points(1.0), *other]))
    assert len(picture.findall("{http://www.w3.org/2000/svg}polyline")) == 2
