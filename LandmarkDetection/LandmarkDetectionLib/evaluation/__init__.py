"""How far off detected landmarks are: on simulated X-rays of heads never trained on, and on a real one."""
