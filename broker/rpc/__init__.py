"""The doors: thin gRPC servicers that convert, call, convert. What they call is the loop, the sessions and the stores."""
