# How fast it is, beside the least that it could cost. None of this is part of make check: it takes minutes and a quiet
# machine.
bench_programs = tests/bench/floor tests/bench/durable_floor tests/bench/core_alone tests/bench/core_letters tests/bench/new_memory tests/bench/size
EXTRA_PROGRAMS += $(bench_programs)
tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_floor_LDADD = $(IM_CORE)
tests_bench_durable_floor_SOURCES = tests/bench/durable_floor.c tests/bench/clock.h
tests_bench_durable_floor_LDADD = $(IM_STORES) $(IM_IMBENCH) $(IM_CORE)
tests_bench_core_alone_SOURCES = tests/bench/core_alone.c tests/bench/alone.c tests/bench/alone.h tests/bench/clock.h
tests_bench_core_alone_LDADD = $(IM_STORES) $(IM_CORE)
tests_bench_core_letters_SOURCES = tests/bench/core_letters.c tests/bench/alone.c tests/bench/alone.h tests/bench/clock.h
tests_bench_core_letters_LDADD = $(IM_TRANSPORTS) $(IM_STORES) $(IM_CORE)
tests_bench_new_memory_SOURCES = tests/bench/new_memory.c tests/bench/clock.h
tests_bench_size_SOURCES = tests/bench/size.c tests/bench/clock.h
tests_bench_size_LDADD = $(IM_STORES) $(IM_IMBENCH) $(IM_CORE)
CLEANFILES += $(bench_programs)

EXTRA_DIST += \
	tests/bench/bench.py \
	tests/bench/chart.py \
	tests/bench/ephemeral.py \
	tests/bench/imd.yaml \
	tests/bench/instructions.json \
	tests/bench/instructions.py \
	tests/bench/page.py \
	tests/bench/results.json \
	tests/bench/servers.py \
	tests/bench/size.py \
	tests/bench/syscalls.py \
	tests/bench/where.py

bench_env = $(AM_TESTS_ENVIRONMENT) top_builddir='$(abs_top_builddir)'; export top_builddir; \
	VALGRIND='$(VALGRIND)'; export VALGRIND; PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE; $(PYTHON3)
need_valgrind = test -n "$(VALGRIND)" || { echo "$@: valgrind is missing (Debian: valgrind)"; exit 1; }

# BENCH_SECONDS=N: how long each of some hundred runs measures; 1 if not said. BENCH_ONLY=PART,PART: not all of it.
bench: all $(bench_programs)
	@$(bench_env) '$(abs_top_srcdir)/tests/bench/bench.py'

# What valgrind and strace tell of it: where instructions and bytes go, and what is asked of the kernel. Without strace
# (Debian: strace) the table of system calls stays as it was.
bench-profile: all $(bench_programs)
	@$(need_valgrind)
	@BENCH_ONLY=profile,cache,syscalls,memory; export BENCH_ONLY; $(bench_env) '$(abs_top_srcdir)/tests/bench/bench.py'

# BENCH_RECORD=1: these are the counts to compare with from now on.
bench-instructions: all $(bench_programs)
	@$(need_valgrind)
	@$(bench_env) '$(abs_top_srcdir)/tests/bench/instructions.py' '$(VALGRIND)'

# SIZE_USERS=N: how many users the large store has, with a hundred messages each; 100000 if not said. SIZE_FOLDER=FOLDER: the
# stores stay there, and are not filled again.
bench-size: $(bench_programs)
	@$(need_valgrind)
	@$(bench_env) '$(abs_top_srcdir)/tests/bench/size.py' '$(VALGRIND)'

.PHONY: bench bench-profile bench-instructions bench-size
