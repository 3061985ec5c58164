noinst_LIBRARIES += transports/libimtransports.a
transports_libimtransports_a_SOURCES = \
	transports/dial.c transports/dial.h \
	transports/gate.c transports/gate.h \
	transports/hook.c transports/hook.h \
	transports/http.c transports/http.h \
	transports/http_client.c transports/http_client.h \
	transports/http_head.c transports/http_head.h \
	transports/http_hook.c transports/http_hook.h \
	transports/http_url.c \
	transports/http_value.c \
	transports/line.c \
	transports/lines.c transports/lines.h \
	transports/listener.c transports/listener.h \
	transports/loop.c transports/loop.h \
	transports/mailbox.c transports/mailbox.h \
	transports/parcel.c transports/parcel.h \
	transports/passed.c transports/passed.h \
	transports/registry.c \
	transports/remote.c \
	transports/stream.c transports/stream.h \
	transports/stream_plain.c transports/stream_private.h \
	transports/stream_queue.c transports/stream_queue.h \
	transports/stream_tls.c \
	transports/tls.c transports/tls.h \
	transports/transports.h \
	transports/up.h \
	transports/websocket.c transports/websocket.h \
	transports/worker.c transports/worker.h transports/worker_private.h \
	transports/ws_deflate.c transports/ws_deflate.h \
	transports/ws_frame.c transports/ws_frame.h \
	transports/ws_handshake.c transports/ws_handshake.h \
	transports/ws_pool.c transports/ws_pool.h \
	transports/ws_upgrade.c transports/ws_upgrade.h \
	transports/ws_utf8.c transports/ws_utf8.h
