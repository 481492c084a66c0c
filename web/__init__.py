"""Flask only: the center, the panel and what they share. Refuses rules; those live below."""
