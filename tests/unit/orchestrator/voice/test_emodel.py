import pytest

from orchestrator.voice.emodel import OPUS, PCMU, mos, mouth_to_ear_ms, r_factor, r_of_delay


@pytest.mark.parametrize(
    ("r", "wanted"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)]
)
def test_mos_is_that_of_table_b1_of_g107(r: float, wanted: float) -> None:
    assert mos(r) == pytest.approx(wanted, abs=0.007)  # the table's 80 is 4.024


@pytest.mark.parametrize(("r", "wanted"), [(-5, 1.0), (0, 1.0), (3, 1.0), (100, 4.5), (120, 4.5)])
def test_mos_ends_at_the_scales_ends(r: float, wanted: float) -> None:
    assert mos(r) == wanted


@pytest.mark.parametrize("ms", [0, 0.5, 1, 2])
def test_without_delay_and_loss_r_is_the_default(ms: float) -> None:
    """The echo's formula goes below zero near 1 ms, but an echo improves nothing."""
    assert r_of_delay(ms, 0) == pytest.approx(93.2, abs=0.01)


@pytest.mark.parametrize("ms", [20, 100, 150, 200, 250, 300])
def test_delay_costs_what_the_short_form_says(ms: float) -> None:
    """Cole and Rosenbluth's reduction of G.107 differs by 0.1 MOS below 250 ms at most."""
    short = 93.2 - 0.024 * ms - 0.11 * max(0.0, ms - 177.3)
    assert mos(r_of_delay(ms, 0)) == pytest.approx(mos(short), abs=0.13)


@pytest.mark.parametrize(("loss", "takes"), [(0.01, 3.64), (0.05, 15.78), (0.251, 47.5)])
def test_loss_takes_away_what_g107_says(loss: float, takes: float) -> None:
    """Ie,eff = 95 · Ppl / (Ppl + Bpl): half of 95 at Bpl per cent."""
    assert r_of_delay(50, 0, PCMU) - r_of_delay(50, loss, PCMU) == pytest.approx(takes, abs=0.01)


def test_losses_in_a_row_cost_more() -> None:
    assert r_of_delay(50, 0.05, OPUS, burst_ratio=2) < r_of_delay(50, 0.05, OPUS)


def test_fixed_terms_are_added_to_the_networks_delay() -> None:
    assert mouth_to_ear_ms(3) == pytest.approx(3 + 20 + 40 + 6.5)
    assert r_factor(3, 0.02) == r_of_delay(69.5, 0.02)
    assert r_factor(3, 0.02, jitter_buffer_ms=60) == r_of_delay(89.5, 0.02)


def test_no_connection_is_worse_than_the_scale() -> None:
    assert mos(r_factor(2000, 0.9)) == 1.0
