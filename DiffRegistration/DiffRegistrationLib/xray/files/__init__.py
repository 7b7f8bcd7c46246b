"""Everything that is read from or written to disk. Files speak LPS, memory speaks RAS; `lps` is the only bridge."""
