"""Hot: whether rows of the internet come by the exit that answers for their source.

An ICMP error counts for whom it quotes and comes from anybody on the way there, but for addresses
that no exit stands before. A source of zeros is the exit itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.exits.door import Consumer
    from lokinet_node.session.addresses import Remote
    from lokinet_node.session.exit_rows import ExitRun
    from lokinet_node.session.plaintexts import Plaintexts


def comes_by_its_exit(
    consumer: Consumer | None,
    remote: Remote,
    run: ExitRun,
    plain: Plaintexts,
    icmp: int,
    quoted_destination: Callable[[Plaintexts, int], bytes | None],
) -> bool:
    """Whether a run may be delivered.

    `icmp` is the protocol whose errors `quoted_destination` reads: where the packet went that the
    one in a row quotes; None if that is no error.
    """
    if consumer is None:
        return False
    if run.protocol != icmp:
        return consumer.accepts(remote, run.source)
    for row in range(run.first, run.first + run.rows):
        quoted = quoted_destination(plain, row)
        if quoted is not None and any(run.source) and not consumer.may_report(run.source):
            return False
        if not consumer.accepts(remote, run.source if quoted is None else quoted):
            return False
    return True
