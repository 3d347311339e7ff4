"""What a detector costs over HTTP: the service beside a plain server and LitServe."""
