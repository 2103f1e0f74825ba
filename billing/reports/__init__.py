"""Reports at a close: each a pure function of the month's facts."""
