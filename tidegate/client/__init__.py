"""The SDK's clients: `Client` waits for answers, `AsyncClient` awaits them; both make the same calls."""
