"""The numbers that a release must meet, each with the reason for it. Change one here and nowhere else."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class GateRules:
    """Thresholds of the gate. A share is of the thing named beside it."""

    # With fewer leavers the interval of the ranking alone is wider than 0.15 and says nothing.
    least_churners: int = 50

    # What two orders of one sum differ by; a stored model that differs by more is another model.
    reproduction_tolerance: float = 1e-9

    # A standard deviation of 0.05 in log-odds moves a rate of 5 % to 5.25 %: whoever scores flatter scores nobody.
    least_spread_log_odds: float = 0.05

    # A coin ranks at 0.5.
    ranking_floor: float = 0.5

    # Published churn models that hold up on later months rank at 0.65 to 0.95; above, the future has leaked in.
    ranking_ceiling: float = 0.97

    # No single honest field ranks like that: it is the label under another name, or was written after it.
    field_ranking_ceiling: float = 0.97

    # Skill is the share of the base rate's log loss that a model saves. Losing a tenth of the loss between training and
    # later months is ageing; more is memory of the training rows. Between two halves of a month nothing ages, but each
    # has few leavers, which tell the skill to a twentieth.
    most_lost_skill: float = 0.15

    # Observed over predicted churn. Rates drift by some 15 % from the months of calibration to later seasons; beyond a
    # fifth, expected values and the budget go wrong.
    calibration_ratio_low: float = 0.8
    calibration_ratio_high: float = 1.25

    # 1 is perfect. Below it, high and low probabilities are exaggerated and contacts are promised that do not pay;
    # above it they are too timid, which costs less.
    calibration_slope_low: float = 0.8
    calibration_slope_high: float = 1.5

    # Mean distance of predicted and observed rates in ten bins, as a share of the base rate.
    most_calibration_error_share: float = 0.25

    # How much less than the rule and the champion a model might earn, as a share of their profit, at the lower end of
    # the paired interval. Without a margin an equal model would be refused nearly always. 10,000 customers and three
    # test months leave an interval of 5 % to either side between a champion and its successor.
    rule_margin_share: float = 0.10
    champion_margin_share: float = 0.10

    # After a change the test has half of the customers of one month, whose profit hangs on a few who were left alone by
    # lot: a quarter to either side. Hardly anything that learned what is new would pass, and the champion, which knows
    # less of it, would go on answering. So a candidate may be in doubt about money if it says better who leaves by so
    # many standard errors, where each customer counts once. Not so against the rule where that answers already: a
    # refusal leaves nothing out of date in charge then.
    better_by_standard_errors: float = 2.0

    # Log loss in a slice may exceed the baseline's by this share before it counts, however certain the excess is.
    slice_margin_share: float = 0.01

    # A field that moves the odds the wrong way by less than a tenth is noise around no effect, not a direction; and
    # this share of the rows may go the wrong way by more.
    direction_tolerance_log_odds: float = 0.10
    most_contrary_rows_share: float = 0.05

    # Rows that the behavioural checks score again and again; more find nothing new.
    behaviour_rows: int = 2_000
    train_rows: int = 20_000
