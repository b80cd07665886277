"""Loaded warning lists are given back when nobody asks for them any more, and not before."""

from __future__ import annotations

import threading

import pytest

from pulsegate.curation import list_choice
from pulsegate.web import idle


@pytest.fixture
def unloaded(monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(list_choice, "unload", done.set)
    monkeypatch.setattr(idle, "_watch", None)
    return done


def test_lists_are_given_back_after_a_while(unloaded, monkeypatch):
    monkeypatch.setattr(idle, "KEPT", 0.2)
    idle.used()
    assert not unloaded.is_set()
    assert unloaded.wait(5)
    unloaded.clear()
    idle.used()
    assert unloaded.wait(5)


def test_lists_stay_while_they_are_asked_for(unloaded, monkeypatch):
    monkeypatch.setattr(idle, "KEPT", 0.6)
    for _ in range(5):
        idle.used()
        assert not unloaded.wait(0.2)
    assert unloaded.wait(5)
