# Real clients against the real daemon; in parts, of which make runs several at once.
E2E_TESTS = tests/run/e2e-1.sh tests/run/e2e-2.sh tests/run/e2e-3.sh
TESTS += $(E2E_TESTS)
EXTRA_DIST += tests/e2e
