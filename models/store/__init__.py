"""Where records are kept: engines, tables and migrations of the center and of a kiosk."""
