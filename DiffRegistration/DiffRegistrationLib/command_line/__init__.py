"""The command `fluororeg`: one file a verb, all thin doors to the engine."""
