"""Figures, verdicts and pages, from rows that are made up."""

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from msgspec.structs import replace

from bench import report
from bench.figures import Figure, Run, Server, us_per_token
from bench.goals import INSIDE_VLLM, Verdict, verdicts
from bench.inside_vllm import OURS, THEIRS
from bench.inside_vllm import Row as InsideRow
from bench.measurement import Row
from bench.plot import plot

OWN = "CPU per token, 32 x 10 ms, times nginx"


def row(server: str, number: int, us: float, *faults: str, mode: str = "32x10", reads: int = 1000) -> Row:
    return Row(
        round=number,
        mode=mode,
        server=server,
        requests=10,
        tokens=1000,
        reads=reads,
        paced=True,
        wall_s=1.0,
        cpu_ns=round(us * 1_000_000),
        delivered=1.0,
        latency_p50_us=100,
        latency_p99_us=200,
        rss_before=0,
        rss_peak=0,
        rss_after=0,
        faults=list(faults),
    )


def run_of(*rows: Row) -> Run:
    servers = [
        Server(name=name, note="a note", version="1", start_s=0.4, rss_at_start=50 * 2**20)
        for name in dict.fromkeys(row.server for row in rows)
    ]
    return Run(about={"rounds": "3"}, servers=servers, absent={"smg": "does not install: no such thing"}, rows=rows)


def verdict(run: Run, title: str, *, brief: bool = False) -> Verdict:
    return next(each for each in verdicts(run, brief=brief) if each.goal.title == title)


def test_ratios_are_taken_within_a_round() -> None:
    run = run_of(
        *(row("nginx", number, us) for number, us in ((1, 5), (2, 10), (3, 4))),
        *(row("antiphon", number, us) for number, us in ((1, 10), (2, 40), (3, 12))),
    )
    assert run.ratio("32x10", us_per_token, "antiphon") == Figure(3.0, 2.0, 4.0)


def test_a_row_with_a_fault_is_left_out_and_named() -> None:
    run = run_of(row("nginx", 1, 5), row("antiphon", 1, 10), row("antiphon", 2, 1, "3 tokens instead of 4"))
    assert run.ratio("32x10", us_per_token, "antiphon") == Figure(2.0, 2.0, 2.0)
    assert report.faults(run) == ["antiphon, 32x10: 3 tokens instead of 4"]


@pytest.mark.parametrize(("us", "word", "moonshot"), [(10, "pass", True), (20, "pass", False), (26, "miss", False)])
def test_a_gate_is_passed_or_missed(us: float, word: str, moonshot: bool) -> None:
    judged = verdict(run_of(row("nginx", 1, 5), row("antiphon", 1, us)), OWN)
    assert (judged.word, judged.reaches_moonshot) == (word, moonshot)


def test_the_quick_run_has_slack_and_fewer_goals() -> None:
    run = run_of(row("nginx", 1, 5), row("antiphon", 1, 26))
    assert verdict(run, OWN, brief=True).word == "pass"
    assert len(verdicts(run, brief=True)) < len(verdicts(run, brief=False))


def test_a_goal_without_a_figure_is_not_measured() -> None:
    judged = verdict(run_of(row("nginx", 1, 5), row("antiphon", 1, 10)), "the same, times smg")
    assert (judged.word, judged.figure) == ("not measured", None)


def test_tokens_that_came_in_heaps_do_not_make_us_look_cheap() -> None:
    run = run_of(row("nginx", 1, 5), row("nginx", 2, 5), row("antiphon", 1, 20), row("antiphon", 2, 4, reads=300))
    assert run.ratio("32x10", us_per_token, "antiphon") == Figure(4.0, 4.0, 4.0)
    assert report.out_of_step(run) == ["antiphon, 32x10: 1 of 2 rounds, 3.3 tokens a read, left out"]


def test_a_goal_that_was_only_measured_out_of_step_is_not_passed() -> None:
    run = run_of(row("nginx", 1, 5), row("antiphon", 1, 4, reads=300))
    assert verdict(run, OWN).word == "not measured"


def test_the_page_names_goals_servers_and_the_absent() -> None:
    run = run_of(row("nginx", 1, 5), row("antiphon", 1, 10))
    page = report.page(run, verdicts(run, brief=False))
    assert f"| {OWN} | 2.00 | 2.00 to 2.00 | ≤ 5.00 | ≤ 2.50 | pass, moonshot |" in page
    assert "| 32 x 10 ms | 1.00 (1.00 to 1.00) | 2.00 (2.00 to 2.00) |" in page
    assert "Absent: smg (does not install: no such thing)." in page


def test_results_replace_those_of_the_run_before(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nafter\n")
    report.put_into(document, "new")
    assert document.read_text() == f"# Before\n\n{report.BEGIN}\n\nnew\n{report.END}\n\nafter\n"


def test_the_raw_lines_hold_every_measurement() -> None:
    run = run_of(row("nginx", 1, 5), row("antiphon", 1, 10))
    lines = [msgspec.json.decode(line) for line in report.json_lines(run).splitlines()]
    assert lines[0]["about"] == {"rounds": "3"}
    assert [line["name"] for line in lines[1:3]] == ["nginx", "antiphon"]
    assert [msgspec.convert(line, Row) for line in lines[3:]] == list(run.rows)


def test_the_plot_is_an_image_with_a_bar_for_each_server() -> None:
    run = run_of(row("nginx", 1, 5), row("antiphon", 1, 10), row("nginx", 1, 5, mode="256x10"))
    drawn = ElementTree.fromstring(plot(run))
    titles = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "2.0 x (32 streams)" in titles
    assert "1.0 x (256 streams)" in titles


def inside(endpoint: str, number: int, us: float) -> InsideRow:
    return InsideRow(number, endpoint, tokens=1000, events=1000, cpu_ns=round(us * 1_000_000))


def test_what_the_plugin_costs_is_judged_by_vllm_s_own_endpoint_in_the_same_round() -> None:
    measured = [inside(OURS, 1, 80), inside(THEIRS, 1, 100), inside(OURS, 2, 70), inside(THEIRS, 2, 100)]
    measured += [inside(OURS, 3, 150), inside(THEIRS, 3, 200)]
    run = replace(run_of(row("nginx", 1, 5)), inside=measured)
    judged = verdict(run, INSIDE_VLLM)

    assert judged.figure == Figure(0.75, 0.7, 0.8)
    assert (judged.word, judged.reaches_moonshot) == ("pass", False)
    text = report.page(run, [judged])
    assert f"| {OURS} | 80.0 | 0.75 (0.70 to 0.80) | 1.00 |" in text
    assert f"| {INSIDE_VLLM} | 0.75 | 0.70 to 0.80 |" in text
    assert len(report.json_lines(run).splitlines()) == 1 + 1 + 1 + len(measured)


def test_without_vllm_there_is_nothing_to_judge() -> None:
    assert verdict(run_of(row("nginx", 1, 5)), INSIDE_VLLM).word == "not measured"
