"""Programs that hold archcost against the world of ONNX. Each writes a page of docs; none is part of `make test`."""
