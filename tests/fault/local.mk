# The worst that can happen to a process, and what must be there afterwards.
TESTS += tests/run/fault.sh
EXTRA_DIST += tests/fault
