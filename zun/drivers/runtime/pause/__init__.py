"""The pause image: what holds a sandbox open. The assembly sources beside ``image.py`` are its source; see ADR 0003."""
