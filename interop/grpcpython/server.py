"""A gRPC server that answers every call with the serving status SERVING."""

import concurrent.futures
import sys

import grpc


class Health(grpc.GenericRpcHandler):
    """Answers without stubs: field 1 of the response is the enum value 1."""

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x01")


server = grpc.server(concurrent.futures.ThreadPoolExecutor(), handlers=[Health()])
server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
