"""What the skull's landmarks are, where they lie on a template head, and how they are carried to another CT."""
