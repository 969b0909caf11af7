"""One thread a test process: small products gain nothing from more, and workers side by side would fight for cores."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("aerec", deadline=None)  # a busy machine is no failure
settings.load_profile("aerec")
