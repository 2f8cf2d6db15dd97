"""Who does a long run's tasks: several processes on one machine, or a Ray cluster."""

from __future__ import annotations

from vtmr.teams.cluster import on_ray
from vtmr.teams.processes import Make, Team, processes

__all__ = ["Make", "Team", "on_ray", "processes"]
