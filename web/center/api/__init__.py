"""The center's interface for kiosks under ``/api/v1``: pairing, gallery, attendance, ledger head, health."""
