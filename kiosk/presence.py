"""The presentation checks as this kiosk's configuration wants them. Owns which network is called and if it can be.

A network that is configured is required: without its file, or with another one, no presentation check passes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import structlog

from kiosk.config import KioskConfig, PresentationConfig
from matcher.empty_room import EmptyRoom
from matcher.liveness_network import LivenessNetwork, NetworkManifest, hash_of, manifest_of, open_network
from matcher.passive_network import NAME, PassiveNetwork
from matcher.presentation import NotAvailable, PresentationCheck, PresentationChecks, PresentationWitness, TriesBefore
from matcher.room_behind import NAME as ROOM_BEHIND
from matcher.room_behind import RoomBehind
from models.errors import WeightsError

log = structlog.get_logger("kiosk.presence")


def site_network(config: PresentationConfig) -> LivenessNetwork | None:
    """The configured network, loaded; None if none is. Raises WeightsError in one sentence if it cannot be used."""
    if not config.network:
        return None
    file = Path(config.network).expanduser()
    return open_network(file, _manifest(config, file))


def make_checks(
    config: KioskConfig, room: EmptyRoom, *, rng: Random | None = None
) -> Callable[[TriesBefore], PresentationCheck]:
    """What draws a check for each try, given the tries of the visit before it.

    ``room`` is what this kiosk knows of its empty room; until it knows it, no check passes. ``rng`` is for
    measurements that must repeat; a kiosk leaves it out.
    """
    required = frozenset({ROOM_BEHIND}) | ({NAME} if config.presentation.network else set())
    more = (_witness(config), lambda: RoomBehind(room))
    checks = PresentationChecks(rng=rng, mirrored=config.camera.mirrored, more=more, required=required)
    return checks.draw


def _witness(config: KioskConfig) -> Callable[[], PresentationWitness]:
    try:
        network = site_network(config.presentation)
    except WeightsError as error:
        log.error("network_not_available", reason=str(error))
        network = None
    if network is None:
        return lambda: NotAvailable(NAME)
    loaded = network
    return lambda: PassiveNetwork(loaded)


def _manifest(config: PresentationConfig, file: Path) -> NetworkManifest:
    """What the configuration says of its network, on top of what is known of it."""
    sha256 = config.network_sha256 or hash_of(file)
    known = manifest_of(sha256)
    if known is None and not config.network_sha256:
        raise WeightsError(
            f"The network file {file} is none that is known here (SHA-256 {sha256[:12]}…): name its network_sha256."
        )
    base = known or NetworkManifest(file.stem, sha256)
    return NetworkManifest(
        base.name,
        base.sha256,
        base.crop if config.crop is None else config.crop,
        base.input_px if config.input_px is None else config.input_px,
        base.live if config.live_index is None else config.live_index,
        base.threshold if config.threshold is None else config.threshold,
        base.attack if config.attack is None else config.attack,
    )
