"""Measures Python Runner beside other runners, and how its work grows.

``python -m benchmarks`` and ``python -m benchmarks growth``; both write their tables into
``docs/performance.md`` and its French page. Figures are ratios to a reference of the same
run: the seconds of one machine say nothing about another. For POSIX.
"""
