"""Exits as the control socket asks for them: `llarp.map_exit` and its likes, and the older `exit`.

Rules: what is to be mapped is tried first, one exit by one call at a time. A call answers when a
session with the exit stands and the exit lets us in, and only then changes where packets go; until
its deadline it waits, after that it says what is missing. A range that is unmapped meanwhile is
not mapped after all. Error texts are Lokinet's: of the newer methods, and in `exit` of the older
one; what the exit says itself is passed on in its own words.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from lokinet_node.base.errors import LokinetError, NameSyntaxError
from lokinet_node.base.names import SNODE_SUFFIX
from lokinet_node.base.units import SECOND
from lokinet_node.exits.exit_range import EVERYTHING, ExitRange, parse_exit_range
from lokinet_node.exits.mapping import MOST_MAPPINGS
from lokinet_node.exits.ways import ExitTried, Failure
from lokinet_node.node.client import ClientRole
from lokinet_node.node.config_consumer import parse_exit
from lokinet_node.node.status_exits import exit_map
from lokinet_node.session.addresses import Remote, remote_loki
from lokinet_node.session.auth_messages import MOST_TOKEN, is_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.units import Micros
    from lokinet_node.drivers.control import Handler
    from lokinet_node.exits.mapping import Exit
    from lokinet_node.naming import Naming
    from lokinet_node.node.exits import ClientExits
    from lokinet_node.node.router import RouterRole

OK: Final = "OK"
NO_EXITS: Final = "No exits"
DECISION: Final[Micros] = 15 * SECOND
"""What an exit may take to decide about a token, on top of the time a name may take to resolve."""


class ExitProblem(LokinetError):
    """An exit cannot be used; `older` is how Lokinet's older method says that."""

    def __init__(self, text: str, older: str = "") -> None:
        """One text where both say the same."""
        super().__init__(text)
        self.older = older or text


class Exiting:
    """What one node answers about its exits."""

    def __init__(
        self,
        role: RouterRole | ClientRole,
        naming: Naming,
        clock: Callable[[], Micros],
        patience: Micros,
        route_problem: Callable[[], str],
    ) -> None:
        """`patience` is how long a name may take to resolve, and how long an exit to connect.

        `route_problem` says why the host's routes do not follow what is mapped; empty: they do.
        """
        self._role = role
        self._naming = naming
        self._clock = clock
        self._patience = patience
        self._route_problem = route_problem
        self._tries: dict[Remote, asyncio.Future[ExitTried]] = {}
        self._generation = 0
        """Grows when something is unmapped or swapped: what began before is void."""

    def take(self, effect: object) -> None:
        """What the node noted: perhaps the end of an attempt."""
        if isinstance(effect, ExitTried):
            future = self._tries.pop(effect.exit, None)
            if future is not None and not future.done():
                future.set_result(effect)

    def handlers(self) -> dict[str, Handler]:
        """Method -> what answers it."""
        return {
            "llarp.map_exit": self.map_exit,
            "llarp.unmap_exit": self.unmap_exit,
            "llarp.swap_exits": self.swap_exits,
            "llarp.list_exits": self.list_exits,
            "llarp.exit": self.exit,
        }

    # --- methods

    async def map_exit(self, params: dict[str, Any]) -> str:
        """`{address, token, ip_range}`: use an exit for ranges, once it is known to work."""
        self._check_endpoint(params)
        await self._map(_name(params, "address"), _ranges(params, "ip_range"), _token(params))
        return OK

    def unmap_exit(self, params: dict[str, Any]) -> str:
        """`{ip_range}`: use no exit for anything inside these ranges."""
        self._check_endpoint(params)
        ranges = _ranges(params, "ip_range")
        self._generation += 1
        self._exits().unmap(ranges, self._clock())
        self._naming.after()
        return OK

    async def swap_exits(self, params: dict[str, Any]) -> str:
        """`{exit_addresses: [old, new], token}`: the new one where the old one is mapped."""
        self._check_endpoint(params)
        names = params.get("exit_addresses")
        if not isinstance(names, list) or [type(one) for one in names] != [str, str]:
            raise LokinetError("exit_addresses is not a list of two addresses: [old, new]")
        exits = self._exits()
        old, wanted = await self._mapped(names[0]), _parsed(names[1])
        if wanted is None:
            raise LokinetError("null is no exit to swap")
        generation = self._generation
        new = await self._connected(wanted, names[1], _token(params))
        self._check_generation(generation)
        self._generation += 1
        exits.swap(old, new, self._clock())
        self._naming.after()
        return OK

    def list_exits(self, params: dict[str, Any]) -> dict[str, Any] | str:
        """Range -> address, or a list of them where several share it; or that there are none."""
        self._check_endpoint(params)
        return exit_map(self._exits().use) or NO_EXITS

    async def exit(self, params: dict[str, Any]) -> str:
        """The older method: `{exit, range, token}` maps, `{unmap: true, range}` unmaps."""
        self._check_endpoint(params)
        unmap = params.get("unmap", False)
        if not isinstance(unmap, bool):
            raise LokinetError("unmap is neither true nor false")
        try:
            ranges = _ranges(params, "range")
            if unmap:
                return self.unmap_exit({"ip_range": [str(range_) for range_ in ranges]})
            found = await self._map(_name(params, "exit"), ranges, _token(params))
        except ExitProblem as problem:
            raise LokinetError(problem.older) from None
        return "added null exit" if found is None else f"OK: connected to {found}"

    # --- steps

    async def _map(self, name: str, ranges: list[ExitRange], token: str) -> Remote | None:
        exits, generation = self._exits(), self._generation
        wanted = _parsed(name)
        exit_ = None if wanted is None else await self._connected(wanted, name, token)
        self._check_generation(generation)
        if len(exits.use.map_) + len(ranges) > MOST_MAPPINGS:
            raise LokinetError(f"at most {MOST_MAPPINGS} ranges can be mapped")
        before = set(exits.use.map_.rows())
        exits.map(ranges, exit_, self._clock())
        self._naming.after()
        if problem := self._route_problem():
            exits.use.remove({row: None for row in exits.use.map_.rows() if row not in before})
            self._naming.after()
            raise LokinetError(problem)
        return exit_

    async def _connected(self, exit_: Exit, name: str, token: str) -> Remote:
        """The exit, which lets us in; ExitProblem."""
        remote = await self._address(exit_, name)
        if remote == Remote(False, self._naming.own_key()):
            raise ExitProblem(f"{name} is this node itself")
        until = self._clock() + self._patience + DECISION
        if remote in self._tries:
            # its token would take the place of the other's, and both would get one answer
            raise ExitProblem(f"{name} is being tried already: in progress")
        future: asyncio.Future[ExitTried] = asyncio.get_running_loop().create_future()
        self._tries[remote] = future
        self._exits().attempt(remote, token, until, self._clock())
        self._naming.after()
        tried = await asyncio.shield(future)
        match tried.failure:
            case Failure.NOT_FOUND:
                raise ExitProblem(f"exit not found: {name}", "could not find exit")
            case Failure.NO_PATH:
                raise ExitProblem(f"did not build path to {name}", "could not find exit")
            case Failure.NO_FLOW:
                raise ExitProblem(f"could not establish flow to {name}", "could not find exit")
            case Failure.REFUSED:
                raise ExitProblem(tried.reason)
            case None:
                pass
        return remote

    async def _address(self, exit_: Exit, name: str) -> Remote:
        """Who a name stands for; ExitProblem."""
        if not isinstance(exit_, str):
            return exit_
        unknown = "we could not find an exit with that name"
        try:
            address = await self._naming.name(exit_)
        except TimeoutError:
            raise ExitProblem(f"did not build path to {name}", unknown) from None
        except LokinetError as error:
            raise ExitProblem(f"exit not found: {name} ({error})", unknown) from error
        if address is None:
            raise ExitProblem(f"exit not found: {name}", "name does not exist")
        return remote_loki(address)

    async def _mapped(self, name: str) -> Exit:
        """An exit that is mapped, as it stands there."""
        exit_ = _parsed(name)
        if exit_ is None:
            raise LokinetError("null is no exit to swap")
        mapped = self._exits().use.map_.exits()
        if exit_ not in mapped:
            exit_ = await self._address(exit_, name)
        if exit_ not in mapped:
            raise LokinetError(f"exit not mapped: {name}")
        return exit_

    def _exits(self) -> ClientExits:
        if not isinstance(self._role, ClientRole):
            raise LokinetError("not supported")
        if self._role.traffic is None:
            raise LokinetError("this node has no tun")
        return self._role.exits

    def _check_endpoint(self, params: dict[str, Any]) -> None:
        self._exits()
        if params.get("endpoint", "default") != "default":
            raise LokinetError(f"no such local endpoint: {params['endpoint']!r}")

    def _check_generation(self, before: int) -> None:
        if self._generation != before:
            raise LokinetError("exits were unmapped or swapped meanwhile")


def _parsed(name: str) -> Exit | None:
    try:
        return parse_exit(name)
    except NameSyntaxError as error:
        is_router = name.lower().endswith(SNODE_SUFFIX)
        older = "lns name resolved to a snode" if is_router else "invalid exit address"
        raise ExitProblem(str(error), older) from error


def _name(params: dict[str, Any], key: str) -> str:
    value = params.get(key)
    if value is None:
        raise LokinetError("no exit address provided")
    if not isinstance(value, str):
        raise ExitProblem(f"{key} is no text", "invalid exit address")
    return value


def _token(params: dict[str, Any]) -> str:
    token = params.get("token")
    if token is None:
        return ""
    if not isinstance(token, str) or (token and not is_token(token)):
        raise LokinetError(f"token: not 1 to {MOST_TOKEN} printable bytes")
    return token


def _ranges(params: dict[str, Any], key: str) -> list[ExitRange]:
    """One range or a list of them, everything where none is said; ExitProblem."""
    value = params.get(key)
    if value is None:
        return [EVERYTHING]
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise ExitProblem("no ranges provided")
    ranges = []
    for text in texts:
        try:
            ranges.append(parse_exit_range(text if isinstance(text, str) else ""))
        except NameSyntaxError:
            raise ExitProblem(f"invalid ip range: {text}", "invalid ip range") from None
    return ranges
