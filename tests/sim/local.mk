# The deterministic simulation: SIM_TESTS += tests/sim/<name>, tests_sim_<name>_SOURCES, tests_sim_<name>_LDADD.
SIM_TESTS = tests/sim/sim
check_PROGRAMS += $(SIM_TESTS)
TESTS += $(SIM_TESTS)

tests_sim_sim_SOURCES = tests/sim/sim.c tests/sim/people.c tests/sim/world.h tests/sim/model.c tests/sim/model.h
tests_sim_sim_LDADD = $(IM_STORES) $(IM_CORE)
