# How fast it is, beside the least that it could cost. None of this is part of make check: it takes minutes and a quiet
# machine.
EXTRA_PROGRAMS += tests/bench/floor tests/bench/durable_floor tests/bench/size
tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_floor_LDADD = $(IM_CORE)
tests_bench_durable_floor_SOURCES = tests/bench/durable_floor.c
tests_bench_durable_floor_LDADD = $(IM_STORES) $(IM_IMBENCH) $(IM_CORE)
tests_bench_size_SOURCES = tests/bench/size.c
tests_bench_size_LDADD = $(IM_STORES) $(IM_IMBENCH) $(IM_CORE)
CLEANFILES += tests/bench/floor$(EXEEXT) tests/bench/durable_floor$(EXEEXT) tests/bench/size$(EXEEXT)

EXTRA_DIST += \
	tests/bench/bench.py \
	tests/bench/chart.py \
	tests/bench/imd.yaml \
	tests/bench/instructions.json \
	tests/bench/instructions.py \
	tests/bench/page.py \
	tests/bench/servers.py \
	tests/bench/size.py

bench_env = $(AM_TESTS_ENVIRONMENT) top_builddir='$(abs_top_builddir)'; export top_builddir; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE; $(PYTHON3)

# BENCH_SECONDS=N: how long each of some eighty runs measures; 1 if not said.
bench: all tests/bench/floor$(EXEEXT) tests/bench/durable_floor$(EXEEXT)
	@$(bench_env) '$(abs_top_srcdir)/tests/bench/bench.py'

# BENCH_RECORD=1: these are the counts to compare with from now on.
bench-instructions: all
	@test -n "$(VALGRIND)" || { echo "bench-instructions: valgrind is missing (Debian: valgrind)"; exit 1; }
	@$(bench_env) '$(abs_top_srcdir)/tests/bench/instructions.py' '$(VALGRIND)'

# SIZE_USERS=N: how many users the large store has, with a hundred messages each; 100000 if not said. SIZE_FOLDER=FOLDER: the
# stores stay there, and are not filled again.
bench-size: tests/bench/size$(EXEEXT)
	@test -n "$(VALGRIND)" || { echo "bench-size: valgrind is missing (Debian: valgrind)"; exit 1; }
	@$(bench_env) '$(abs_top_srcdir)/tests/bench/size.py' '$(VALGRIND)'

.PHONY: bench bench-instructions bench-size
