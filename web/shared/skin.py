"""The shared look: colours, type and sizes as one stylesheet, served by either app. Refuses pages."""

from __future__ import annotations

from flask import Blueprint, Flask


def install_skin(app: Flask) -> None:
    """Serve ``/shared/muster.css`` and make the shared templates known to ``app``."""
    app.register_blueprint(
        Blueprint(
            "shared",
            __name__,
            static_folder="static",
            static_url_path="/shared",
            template_folder="templates",
        )
    )
