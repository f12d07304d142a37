"""A gRPC client that makes a call for each line of its input."""

import sys

import grpc

channel = grpc.insecure_channel(sys.argv[1])
check = channel.unary_unary("/grpc.health.v1.Health/Check")
for line in sys.stdin:
    response, call = check.with_call(b"", timeout=20)
    carried = [value for key, value in call.trailing_metadata() if key == sys.argv[2]]
    print(line.strip(), response.hex(), *carried, flush=True)
