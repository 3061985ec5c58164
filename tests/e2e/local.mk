# Real clients against the real daemon.
TESTS += tests/run/e2e.sh
EXTRA_DIST += tests/e2e
