"""boto3 for the steps: a call a line, as JSON, and its answer a line. Run where boto3 is installed.

Strategy: this program knows nothing of Ceph and checks nothing. Bytes are written as {"base64": …}.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError


def plain(value: Any) -> Any:
    """What JSON can carry of an answer."""
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def bytes_again(found: dict[str, Any]) -> Any:
    return base64.b64decode(found["base64"]) if set(found) == {"base64"} else found


def main() -> None:
    url, access, secret, seconds = sys.argv[1:]
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="default",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        # A refusal is an answer: asked again, it would only come later.
        config=Config(
            retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=float(seconds)
        ),
    )
    for line in sys.stdin:
        name, arguments = json.loads(line, object_hook=bytes_again)
        try:
            answer = {"answer": plain(getattr(client, name)(**arguments))}
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            answer = {"code": error.response["Error"].get("Code", ""), "status": status, "text": str(error)}
        except ReadTimeoutError as error:
            answer = {"code": "", "status": 0, "text": str(error)}
        print(json.dumps(answer), flush=True)


main()
