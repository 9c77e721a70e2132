"""Captions: files of SRT and VTT, cues cut from sentences, and where these stand in time. Pure Python."""
