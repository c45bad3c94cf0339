"""What schemathesis does not know by itself: how a ZIP goes into a request, and that one comes back."""

import json

import schemathesis


@schemathesis.serializer("application/zip")
def zip_in(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.deserializer("application/x-ndjson")
def lines_out(ctx, response):
    for line in response.text.splitlines():
        json.loads(line)
    return ""


@schemathesis.deserializer("application/zip")
def zip_out(ctx, response):
    assert response.content[:2] == b"PK", "a result is a ZIP"
    return ""
