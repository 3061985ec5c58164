# One suite for every transport, one for every store: CONFORM_TESTS += tests/conform/<name>, with _SOURCES and _LDADD.
CONFORM_TESTS =

# IM_FULL=1: 200 random runs of all stores together.
CONFORM_TESTS += tests/conform/store
tests_conform_store_SOURCES = tests/conform/store.c \
	tests/conform/store_act.c tests/conform/store_act.h \
	tests/conform/store_box.c tests/conform/store_box.h \
	tests/conform/store_group.c \
	tests/conform/store_message.c \
	tests/conform/store_model.c tests/conform/store_model.h \
	tests/conform/store_pair.c tests/conform/store_pair.h \
	tests/conform/store_people.c \
	tests/conform/store_reading.c \
	tests/conform/store_record.c \
	tests/conform/store_search.c \
	tests/conform/store_span.c \
	tests/conform/store_sweep.c
tests_conform_store_LDADD = $(IM_STORES) $(IM_UNIT)

# The core is the test's own: it comes before $(IM_CORE), whose core then stays out.
CONFORM_TESTS += tests/conform/transport
tests_conform_transport_SOURCES = tests/conform/transport.c \
	tests/conform/fake_core.c tests/conform/fake_core.h \
	tests/conform/peer.c tests/conform/peer.h \
	tests/conform/speech.c tests/conform/speech.h
tests_conform_transport_LDADD = $(IM_TRANSPORTS) $(IM_UNIT)

check_PROGRAMS += $(CONFORM_TESTS)
TESTS += $(CONFORM_TESTS)

# RFC 6455, 7692 and 9112 case by case, over real sockets. IM_FULL=1: 1,000 messages in each case of compression.
TESTS += tests/run/rfc6455.sh
EXTRA_DIST += tests/conform/rfc6455
