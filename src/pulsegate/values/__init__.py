"""The normal form of each indicator type: re-fang, unescape, retype, or reject with a reason for people."""
