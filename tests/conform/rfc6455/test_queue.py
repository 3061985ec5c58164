"""A peer that does not read."""

import json

from imdtest.wait import until
from wsraw import PING, TEXT, frame

BATCH = 20


def queued(server, user):
    return sum(s["queued_bytes"] for s in server.imd.imctl("sessions")["sessions"] if s.get("user") == user)


def test_peer_that_does_not_read_loses_nothing_and_is_owed_its_latest_pong(start):
    server = start({"limits": {"queue_soft": "4KiB", "rate": 0}})
    with server.connect("/ws/reader/writer") as reader, server.connect("/ws/writer/reader", protocol="im.v1") as writer:
        assert json.loads(writer.event()[1])["user"] == "writer"
        texts = []

        def write():
            for _ in range(BATCH):
                texts.append(f"{len(texts)} ".ljust(15000, "x"))
                request = {"op": "send", "id": len(texts), "to": "reader", "text": texts[-1]}
                writer.send_message(TEXT, json.dumps(request).encode())
            for _ in range(BATCH):
                assert json.loads(writer.event()[1])["op"] == "ok"
            seen = [queued(server, "reader") for _ in range(3)]
            return seen[0] > 0 and len(set(seen)) == 1

        until(write, "the reader's queue to fill, and stay")
        reader.send(b"".join(frame(PING, b"%d" % i) for i in range(BATCH)))
        pongs, got = [], []
        while len(got) < len(texts) or pongs[-1:] != [BATCH - 1]:
            kind, payload = reader.event()
            if kind == "pong":
                pongs.append(int(payload))
            else:
                got.append(payload.decode())
        assert got == texts
        assert pongs == sorted(set(pongs))
        reader.goodbye()
