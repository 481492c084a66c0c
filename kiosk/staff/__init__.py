"""Staff at the kiosk: signing in, vouching, enrolling, looking after the device. Each act is an event."""
