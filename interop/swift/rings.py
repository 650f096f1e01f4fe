"""The three rings of a Swift with one disk: what nine calls of swift-ring-builder do. Run where Swift is installed.

python rings.py FOLDER KIND=PORT…
"""

from __future__ import annotations

import sys

from swift.common.ring import RingBuilder

folder, *rings = sys.argv[1:]
for each in rings:
    kind, _, port = each.partition("=")
    builder = RingBuilder(4, 1, 0)
    builder.add_dev(
        {"region": 1, "zone": 1, "weight": 1, "device": "disk", "ip": "127.0.0.1", "port": int(port)}
        | {"replication_ip": "127.0.0.1", "replication_port": int(port)}
    )
    builder.rebalance(seed=1)
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")
