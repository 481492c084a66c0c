"""One HTML page about a measurement that stands alone: no script, nothing loaded. See ``write_report``."""

from matcher.evaluation.report.writing import write_report

__all__ = ["write_report"]
