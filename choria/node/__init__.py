"""The node: hosts agents, judges every request itself, answers and audits all of them."""

from __future__ import annotations

from .ports import Action, ActionContext, Agent, NodeInfo

__all__ = ["Action", "ActionContext", "Agent", "NodeInfo"]
