"""The durable side of Weft: queue, history, outputs, and the supervised worker process that runs graphs."""
