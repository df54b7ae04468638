"""The text of tinygrad_loss/losses/README.md, from the registry and the tables beside this file."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_loss as tl
from tests.accuracy.bounds import BOUNDS
from tests.loss_samples import LookupError_, build, sizes_of
from tinygrad_loss import losses
from tinygrad_loss.choose import TASKS, Choice, which_loss
from tinygrad_loss.explanation import Part, explain
from tinygrad_loss.losses import LOSSES, Loss
from tinygrad_loss.losses._domains import Domain, Spec, WeightDomain

from .deviations import GROUPS
from .keras_rows import ROWS
from .kinks import KINKS, slope
from .peers import PEERS, TORCH
