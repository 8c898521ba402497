"""Which error reaches a caller of `infer` when neither the device nor the broker answers."""

import numpy as np
import pytest

from tidegate.client.aio import AsyncClient
from tidegate.client.client import Client
from tidegate.model.errors import Unavailable

NOBODY = "127.0.0.1:1"
DEVICE = f"http://{NOBODY}"
PIXELS = {"x": np.zeros((1, 4), np.float32)}


def test_a_known_device_that_does_not_answer_is_named_before_the_broker() -> None:
    with Client(NOBODY, retry_budget_s=0.1) as client:
        client._endpoints._known["camera"] = [DEVICE]
        with pytest.raises(Unavailable, match=f"{DEVICE} does not answer"):
            client.infer("camera", PIXELS)


async def test_the_same_without_blocking() -> None:
    async with AsyncClient(NOBODY, retry_budget_s=0.1) as client:
        client._endpoints._known["camera"] = [DEVICE]
        with pytest.raises(Unavailable, match=f"{DEVICE} does not answer"):
            await client.infer("camera", PIXELS)


def test_without_a_known_device_the_broker_is_named() -> None:
    with Client(NOBODY, retry_budget_s=0.1) as client, pytest.raises(Unavailable, match="no broker answers"):
        client.infer("camera", PIXELS)
