"""The doors: thin gRPC servicers that convert, call, convert. They call the loop, the sessions and the stores."""
