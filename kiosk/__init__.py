"""The station: from a camera frame and a finger to a signed event in the outbox, and from there to the center."""
