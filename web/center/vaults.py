"""The vault of each site, from the key files beside the store. Owns where they lie, and nothing about sealing."""

from __future__ import annotations

from enrollment.vault import SiteKey, Vault
from web.center.context import Center
from web.center.keys import site_key_path


def site_key(center: Center, site_id: str) -> SiteKey:
    """The key of a site, made at the first call. Raises VaultError if its file is damaged or open to others."""
    return SiteKey.load_or_create(site_key_path(center.settings.keys_folder(), site_id))


def vault_of(center: Center, site_id: str) -> Vault:
    """The vault of a site. Raises VaultError."""
    return Vault(site_key(center, site_id))
