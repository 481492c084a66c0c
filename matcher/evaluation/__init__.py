"""Measuring the engines: protocols, rates and reports. Nothing biometric is kept on disk."""
