"""Everything in the beam that is not in the CT: exact solids for instruments, supports and contrast-filled vessels."""
