"""Waiting for conditions, never for time."""

import os
import time

# Instrumented builds are slower: IMD_TEST_PATIENCE multiplies every limit, which costs time only where a test fails.
PATIENCE = 10.0 * float(os.environ.get("IMD_TEST_PATIENCE", "1"))


def until(condition, what="the condition", timeout=PATIENCE, pause=0.01):
    """Polls until condition() is true and returns its value. An AssertionError it raises counts as false."""
    end = time.monotonic() + timeout
    while True:
        last = None
        try:
            value = condition()
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout:.0f} s in vain for {what}") from last
        time.sleep(pause)
