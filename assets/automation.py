"""What is brought up to date by itself, because something that it is made of has changed.

Only what is cheap, and what nobody has to decide about: the Bento follows the release. Months close by schedule, and
trainings are started by monitoring, because both have an order that matters.
"""

import dagster as dg

# eager alone would go on although a blocking check upstream had failed
WHEN_UPSTREAM_IS_GOOD = (
    dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("something that it is made of changed, and kept its contract")


def automation() -> dg.AutomationConditionSensorDefinition:
    """The sensor behind the conditions; Dagster's own would be stopped until somebody starts it."""
    return dg.AutomationConditionSensorDefinition(
        "follow_the_release", target=dg.AssetSelection.all(), default_status=dg.DefaultSensorStatus.RUNNING
    )
